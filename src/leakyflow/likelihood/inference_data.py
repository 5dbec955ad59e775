"""Draws as ArviZ knows them: groups of labelled arrays."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws, import_arviz
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.neuron.parameters import UNITS
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

if TYPE_CHECKING:
    import arviz as az

__all__ = ["inference_data"]

TRACE_UNITS = {"V": "mV", "I": "pA", "time": "ms"}


def inference_data(
    draws: Draws, recording: Recording | Cell | Batch | None, predictive: Batch | None
) -> "az.InferenceData":
    """Lay draws, and what belongs to them, out in groups: see `Draws.to_arviz`."""
    groups = {"posterior": _posterior(draws)}
    if draws.given is not None:
        groups["constant_data"] = _constant(draws)
    if draws.diagnostics is not None:
        groups["sample_stats"] = _sample_stats(draws)
    if recording is not None:
        _check_recording(draws, recording)
        observed, stimulus = _observed(draws, recording)
        groups["constant_data"] = groups.get("constant_data", xr.Dataset()).merge(stimulus)
        groups |= {"observed_data": observed} | _log_likelihood(draws, recording)
    if predictive is not None:
        _check_predictive(draws, predictive, recording)
        groups["posterior_predictive"] = _predicted(predictive)
    return import_arviz().InferenceData(**groups)


def _dims(draws: Draws) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The axis of recordings, where there is one, and its labels."""
    return ((), {}) if draws.recordings is None else (("recording",), {"recording": list(draws.recordings)})


def _of_draws(draws: Draws, values: np.ndarray, **attributes: str) -> xr.Variable:
    """A number for each draw: ArviZ has chains and draws first, and draws here come last."""
    return xr.Variable(("chain", "draw", *_dims(draws)[0]), values.T[None], attributes)


def _posterior(draws: Draws) -> xr.Dataset:
    columns = {name: _of_draws(draws, draws[name], units=UNITS[name]) for name in draws.names}
    attributes = {"network": draws.source} | ({} if draws.dt is None else {"dt": draws.dt})
    return xr.Dataset(columns, _dims(draws)[1] | _counted(draws.n_draws), attributes)


def _constant(draws: Draws) -> xr.Dataset:
    """What was not inferred: a number, or one for each recording."""
    assert draws.given is not None
    dims, coords = _dims(draws)
    columns = {
        name: xr.Variable(dims if np.ndim(value) else (), value, {"units": UNITS[name]})
        for name, value in draws.given.items()
    }
    return xr.Dataset(columns, coords)


def _counted(n_draws: int) -> dict[str, Any]:
    return {"chain": [0], "draw": np.arange(n_draws)}


def _sample_stats(draws: Draws) -> xr.Dataset:
    """Diagnostics of each recording."""
    assert draws.diagnostics is not None
    dims, coords = _dims(draws)
    columns = {
        str(name): np.array([_storable(value) for value in column]) for name, column in draws.diagnostics.items()
    }
    return xr.Dataset({name: (dims, values if dims else values[0]) for name, values in columns.items()}, coords)


def _storable(value: Any) -> str | float:
    """NetCDF knows neither truth values nor None."""
    if isinstance(value, str):
        return value
    return float("nan") if value is None else float(value)


def _observed(draws: Draws, recording: Recording | Cell | Batch) -> tuple[xr.Dataset, xr.Dataset]:
    """Traces, and the current; what is padding has no number, and no spike."""
    batch = Batch.of(recording)
    arrays = {name: np.where(batch.valid, getattr(batch, name), np.nan) for name in ("V", "I")}
    arrays["spikes"] = batch.spikes & batch.valid
    dims, coords = _dims(draws)
    if isinstance(recording, Cell) and len(recording) > 1:
        dims, coords = ("sweep",), {"sweep": list(batch.names)}
    traces = {
        name: xr.Variable((*dims, "time"), values if dims else values[0], _units(name))
        for name, values in arrays.items()
    }
    coords |= {"time": _time(batch)}
    observed = xr.Dataset({name: traces[name] for name in ("V", "spikes")}, coords)
    return observed, xr.Dataset({"I": traces["I"]}, coords)


def _log_likelihood(draws: Draws, recording: Recording | Cell | Batch) -> dict[str, xr.Dataset]:
    """Of the whole recording, at each draw; nothing where it is not known."""
    if draws.given is None:
        return {}
    with suppress(LeakyflowError):
        values = np.asarray(log_likelihood(draws.parameters(), recording))
        coords = _dims(draws)[1] | _counted(draws.n_draws)
        return {"log_likelihood": xr.Dataset({"V": _of_draws(draws, values)}, coords)}
    return {}


def _predicted(predictive: Batch) -> xr.Dataset:
    dims = ("chain", "draw", "time")
    traces = {name: xr.Variable(dims, getattr(predictive, name)[None], _units(name)) for name in ("V", "spikes")}
    return xr.Dataset(traces, _counted(len(predictive)) | {"time": _time(predictive)})


def _time(batch: Batch) -> xr.Variable:
    return xr.Variable("time", np.arange(batch.V.shape[1]) * batch.dt, _units("time"))


def _units(name: str) -> dict[str, str]:
    return {"units": TRACE_UNITS[name]} if name in TRACE_UNITS else {}


def _check_recording(draws: Draws, recording: Recording | Cell | Batch) -> None:
    found = recording.cell_names if isinstance(recording, Batch) else None
    if found != draws.recordings or (found and len(recording.names) > len(found)):  # type: ignore[union-attr]
        raise LeakyflowError(
            f"`recording` must be what the draws are of, {_said(draws.recordings)}, got {_said(found)}. Export "
            "cells of several sweeps one by one, with draws.of(i).",
            argument="recording",
        )


def _check_predictive(draws: Draws, predictive: Batch, recording: Recording | Cell | Batch | None) -> None:
    if draws.recordings is not None or len(predictive) > draws.n_draws:
        raise LeakyflowError(
            f"`predictive` must be simulations of at most {draws.n_draws} draws of one recording, got "
            f"{len(predictive)} for draws of {_said(draws.recordings)}. Take one of many with draws.of(i).",
            argument="predictive",
        )
    if isinstance(recording, Recording) and recording.n_samples != predictive.V.shape[1]:
        raise LeakyflowError(
            f"`predictive` must be as long as the recording, {recording.n_samples} samples, got "
            f"{predictive.V.shape[1]}. Simulate under its current.",
            argument="predictive",
        )


def _said(names: tuple[str, ...] | None) -> str:
    return "one recording" if names is None else f"{len(names)} recordings ({', '.join(names[:3])}, ...)"
