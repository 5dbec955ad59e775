"""One format a file: each module opens a file and yields its sweeps in mV and pA."""
