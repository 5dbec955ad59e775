"""Batch: what is known of a current-clamp trace, and how to read it from the files of a laboratory."""
