"""Draws from a file."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import TABLE
from leakyflow.schema import reading

__all__ = ["read_draws"]

CURE = "Pass a NetCDF file that `leakyflow infer` or Draws.to_arviz() wrote."


def read_draws(path: str | Path) -> Draws:
    """Read posterior draws from a NetCDF file, as `leakyflow infer` and `Draws.to_arviz` write them.

    Args:
        path: The file.

    Returns:
        The draws, with their diagnostics, and with what was not inferred where the file has it.

    Raises:
        FileNotFoundError: If there is no such file.
        LeakyflowError: If it is something else, damaged, or of parameters that leakyflow does not know.

    Example:
        >>> draws = Draws(("tau",), np.array([[17.0], [18.0]]), source="lif", given={"C": 90.0}, dt=0.2)
        >>> _ = draws.to_arviz().to_netcdf("cell.nc")
        >>> read_draws("cell.nc") == draws, read_draws("cell.nc").given
        (True, {'C': 90.0})
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No draws at {path}. {CURE}")
    with reading(path, "the posterior", CURE):
        posterior, stats, constant = (_group(path, name) for name in ("posterior", "sample_stats", "constant_data"))
    names = tuple(str(name) for name in posterior.data_vars)
    unknown = [name for name in names if name not in TABLE]
    if unknown or not names or not {"chain", "draw"} <= set(posterior.dims):
        raise LeakyflowError(
            f"{path} must hold draws of parameters of a neuron, got {', '.join(names) or 'none'}. {CURE}"
        )
    dims = (*(("recording",) if "recording" in posterior.dims else ()), "chain", "draw")
    columns = [_draws(path, posterior[name], dims) for name in names]
    recordings = tuple(map(str, posterior["recording"].to_numpy())) if "recording" in dims else None
    return Draws(
        names,
        np.stack(columns, axis=-1).astype(np.float64),
        recordings,
        source=str(posterior.attrs.get("network", "")),
        diagnostics=_diagnostics(path, stats, recordings, str(posterior.attrs.get("recording", ""))),
        given=_given(path, constant, recordings),
        dt=_dt(path, posterior.attrs.get("dt")),
    )


def _group(path: Path, name: str) -> xr.Dataset:
    """A group of the file, in memory; nothing where it has none of the name."""
    with h5py.File(path) as file:
        if name not in file:
            return xr.Dataset()
    with xr.open_dataset(path, group=name, engine="h5netcdf") as group:
        return group.load()


def _draws(path: Path, values: xr.DataArray, dims: tuple[str, ...]) -> np.ndarray:
    """Those of a parameter, with all chains in one axis."""
    numbers = set(values.dims) == set(dims) and values.size > 0 and values.dtype.kind in "iuf"
    numbers &= len(values.shape) == len(values.dims)  # not so where the file has fewer names than axes
    if not numbers or not np.isfinite(values).all():
        found = f"{values.dtype} of shape {values.shape} over {', '.join(map(str, values.dims)) or 'nothing'}"
        raise LeakyflowError(
            f"{path}: `{values.name}` must hold finite numbers over {', '.join(dims)}, got {found}. {CURE}"
        )
    return values.stack(draws=("chain", "draw")).transpose(*dims[:-2], "draws").to_numpy()


def _diagnostics(path: Path, stats: xr.Dataset, recordings: tuple[str, ...] | None, name: str) -> pd.DataFrame | None:
    if not stats.data_vars:
        return None
    columns: dict[str, Any] = {str(column): np.atleast_1d(stats[column].to_numpy()) for column in stats.data_vars}
    index = pd.Index(recordings or (name,), name="recording")
    for column, values in columns.items():
        if values.shape != index.shape:
            raise LeakyflowError(
                f"{path}: `{column}` must hold a value of each recording ({len(index)}), got an array of shape "
                f"{values.shape}. {CURE}"
            )
    return pd.DataFrame(columns, index=index)


def _given(path: Path, constant: xr.Dataset, recordings: tuple[str, ...] | None) -> dict[str, Any] | None:
    """Parameters that were not inferred: a number, or one of each recording."""
    found = {str(name): constant[name].to_numpy() for name in constant.data_vars if name in TABLE}
    for name, value in found.items():
        if value.dtype.kind not in "iuf" or value.shape not in ((), (len(recordings or ()),)):
            raise LeakyflowError(
                f"{path}: `{name}` must be a number, or one of each recording, got {value.dtype} of shape "
                f"{value.shape}. {CURE}"
            )
    return {name: value if value.ndim else float(value) for name, value in found.items()} or None


def _dt(path: Path, value: Any) -> float | None:
    """The sampling interval, in ms."""
    if value is None or (np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf" and 0.0 < value < np.inf):
        return None if value is None else float(value)
    raise LeakyflowError(f"{path}: `dt` must be a positive number of ms, got {value!r}. {CURE}")
