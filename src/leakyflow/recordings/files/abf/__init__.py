"""Axon Binary Format, versions 1 and 2, by pyABF: which current belongs to which voltage."""
