"""Neurons for other simulators: the posterior mean, or draws as a heterogeneous population, as data and as a script.

A target is one file that says what its neurons can express, and writes them. What it cannot express is refused, or
left out where that is asked for, and then named in what is written.
"""
