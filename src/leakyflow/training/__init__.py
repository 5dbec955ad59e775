"""Configuration, presets, training runs and their checkpoints."""
