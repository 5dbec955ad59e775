"""Neurodata Without Borders, versions 1 and 2: current-clamp series, each with its stimulus."""
