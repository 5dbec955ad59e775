"""leakyflow: Bayesian inference of leaky integrate-and-fire neurons from current-clamp recordings.

Public names are loaded on first use, so that importing the package stays fast and quiet.
"""

import importlib
import os
from typing import Any

# Keras reads this when it is first imported; JAX is the default even where another backend is installed.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "jax"

__version__ = "0.1.0"

_HOME = {
    "Parameters": "simulator.parameters",
    "Prior": "simulator.prior",
    "Stimulus": "simulator.stimuli",
    "chirp": "simulator.stimuli",
    "from_array": "simulator.stimuli",
    "ornstein_uhlenbeck": "simulator.stimuli",
    "ramp": "simulator.stimuli",
    "sinusoid": "simulator.stimuli",
    "square": "simulator.stimuli",
    "simulate": "simulator.lif",
    "make_dataset": "simulator.dataset",
    "open_dataset": "simulator.dataset",
    "prior_predictive": "simulator.prior_predictive",
    "Recording": "recordings.recording",
    "Recordings": "recordings.recording",
    "read_recording": "recordings.read",
    "list_sweeps": "recordings.read",
    "save_recording": "recordings.export",
    "log_likelihood": "reference.likelihood",
    "reference_posterior": "reference.sampler",
    "Draws": "reference.draws",
    "Posterior": "models.posterior",
    "load_posterior": "training.run",
    "load_config": "training.config",
    "train": "training.fit",
    "Typicality": "diagnostics.typicality",
    "typicality_of": "diagnostics.typicality",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'leakyflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"leakyflow.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
