"""What commands use, imported, and nothing computed: a process to fork others from, which begin at once.

Importing takes seconds of processor time, most of what a small command takes. What JAX has computed must not be forked:
BayesFlow, which computes while it is imported, is left to each process, and so is a logarithm of BlackJAX. What
commands do without is taken for absent before, since libraries look for it once, when they are imported. To be
preloaded by the fork servers of `benchmarks/fuzz.py` and `benchmarks/kills.py`.
"""

import math
from importlib import import_module
from unittest.mock import patch

from jax._src import xla_bridge

from leakyflow.cli.commands import spare

spare([])
with patch("jax.numpy.log", math.log):
    import_module("blackjax")
for name in (
    "h5py",
    "keras",
    "matplotlib.pyplot",
    "pynwb",
    "xarray",
    "leakyflow.cli.commands",
    "leakyflow.recordings.read_cell",
    "leakyflow.simulator.dataset",
    "leakyflow.training.toml",
):
    import_module(name)

assert not xla_bridge._backends, "JAX has computed something, and must not be forked"
