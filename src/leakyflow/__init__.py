"""leakyflow: Bayesian inference of leaky integrate-and-fire neurons from current-clamp recordings.

Public names are loaded on first use, so that importing the package stays fast and quiet.
"""

import importlib
import os
from typing import Any

from leakyflow.compilation import keep_compiled

# Keras reads this when it is first imported; JAX is the default even where another backend is installed.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "jax"

keep_compiled()

__version__ = "0.2.0.dev0"

_HOME = {
    # Errors.
    "LeakyflowError": "errors",
    # Neurons.
    "Parameters": "neuron.parameters",
    # Recordings and their files.
    "Recording": "recordings.recording",
    "Batch": "recordings.batch",
    "Finding": "recordings.finding",
    "Cell": "recordings.cell",
    "read_recording": "recordings.read",
    "read_arrays": "recordings.from_arrays",
    "read_cell": "recordings.read_cell",
    "list_sweeps": "recordings.sweeps",
    "save_recording": "recordings.files.saved",
    "Sweep": "recordings.sweeps",
    # Priors, stimuli, simulations.
    "Prior": "simulator.prior",
    "Stimulus": "simulator.stimuli",
    "chirp": "simulator.stimuli",
    "from_array": "simulator.stimuli",
    "ornstein_uhlenbeck": "simulator.stimuli",
    "ramp": "simulator.stimuli",
    "sinusoid": "simulator.stimuli",
    "square": "simulator.stimuli",
    "simulate": "simulator.simulate",
    "make_dataset": "simulator.dataset",
    "open_dataset": "simulator.dataset",
    "prior_predictive": "simulator.prior_predictive",
    "Normal": "simulator.distributions",
    "LogNormal": "simulator.distributions",
    "Uniform": "simulator.distributions",
    "TruncatedNormal": "simulator.distributions",
    "ReadOff": "simulator.prior",
    "SimulatorConfig": "simulator.config",
    "Dataset": "simulator.dataset",
    "PriorPredictive": "simulator.prior_predictive",
    "SquarePrior": "simulator.stimulus_prior",
    "SinusoidPrior": "simulator.stimulus_prior",
    "RampPrior": "simulator.stimulus_prior",
    "ChirpPrior": "simulator.stimulus_prior",
    "OrnsteinUhlenbeckPrior": "simulator.stimulus_prior",
    "ModulatedNoisePrior": "simulator.stimulus_prior",
    "ArrayPrior": "simulator.stimulus_prior",
    "Protocol": "simulator.protocols",
    # The exact posterior.
    "log_likelihood": "likelihood.log_likelihood",
    "reference_posterior": "likelihood.reference",
    "Draws": "likelihood.draws",
    "read_draws": "likelihood.read_draws",
    # Networks.
    "Posterior": "models.posterior",
    "NetworkConfig": "models.config",
    "SummaryConfig": "models.config",
    "FlowConfig": "models.config",
    # Training.
    "load_posterior": "training.run",
    "load_config": "training.config",
    "train": "training.fit",
    "Config": "training.config",
    "TrainingConfig": "training.config",
    "presets": "training.config",
    "Run": "training.fit",
    # What to believe.
    "Typicality": "diagnostics.typicality",
    "typicality_of": "diagnostics.typicality",
    "plot_contraction": "diagnostics.plots.contraction",
    "plot_ecdf": "diagnostics.plots.calibration",
    "plot_ranks": "diagnostics.plots.calibration",
    "plot_recovery": "diagnostics.plots.calibration",
    "plot_z_scores": "diagnostics.plots.calibration",
    "plot_history": "diagnostics.plots.training",
    "plot_pairs": "diagnostics.plots.posteriors",
    "plot_posteriors": "diagnostics.plots.posteriors",
    "plot_predictive_p_values": "diagnostics.plots.predictive",
    "plot_prior_predictive": "diagnostics.plots.predictive",
    "plot_prior_sensitivity": "diagnostics.plots.sensitivity",
    "plot_sensitivity": "diagnostics.plots.sensitivity",
    "plot_recording_posterior": "diagnostics.plots.recordings",
    "plot_recordings": "diagnostics.plots.recordings",
    "plot_cell": "diagnostics.plots.cells",
    "plot_cell_activity": "diagnostics.plots.predictive",
    "plot_typicality": "diagnostics.plots.typicality",
    "save_figure": "diagnostics.plots.style",
    "Diagnosis": "diagnostics.held_out",
    "diagnose": "diagnostics.held_out",
    "Predictive": "diagnostics.predictive",
    "PredictiveCheck": "diagnostics.predictive",
    "posterior_predictive": "diagnostics.predictive",
    "Verdict": "diagnostics.typicality",
    "Projection": "diagnostics.typicality",
    "compare": "diagnostics.comparison",
    "predict": "diagnostics.prediction.predict",
    "Prediction": "diagnostics.prediction.measured",
    "measure_prediction": "diagnostics.prediction.measured",
    "Adequacy": "diagnostics.adequacy",
    "adequacy_of": "diagnostics.adequacy",
    "Spread": "diagnostics.spread",
    "between_sweeps": "diagnostics.spread",
    "Ranks": "diagnostics.calibration",
    "sbc_ranks": "diagnostics.calibration",
    "Recovery": "diagnostics.recovery",
    "measure_recovery": "diagnostics.recovery",
    "Contraction": "diagnostics.contraction",
    "measure_contraction": "diagnostics.contraction",
    "Convergence": "diagnostics.convergence",
    "measure_convergence": "diagnostics.convergence",
    "read_history": "diagnostics.convergence",
    "Conditions": "diagnostics.conditions",
    "stimulus_sensitivity": "diagnostics.sensitivity",
    "dt_sensitivity": "diagnostics.sensitivity",
    "prior_sensitivity": "diagnostics.power_scaling",
    # Many files.
    "batch": "batches.batch",
    # Datasets of any size.
    "Summaries": "batches.summaries",
    "make_summaries": "batches.summaries",
    "open_summaries": "batches.summaries",
    # Other simulators.
    "export": "exports.export",
    "Exported": "exports.export",
    "read_glif": "exports.allen",
    # Pages to read.
    "Page": "report.page",
    "cell_page": "report.cell",
    "run_page": "report.run",
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
