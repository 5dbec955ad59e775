"""Figures of finished numbers: each function takes values, returns a Figure and never shows it."""
