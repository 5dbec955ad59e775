"""Draws from a file."""

from pathlib import Path
from typing import Any

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
        posterior = _group(path, "posterior")
        stats, constant = (_group(path, name, empty=True) for name in ("sample_stats", "constant_data"))
    names = tuple(str(name) for name in posterior.data_vars)
    unknown = [name for name in names if name not in TABLE]
    if unknown or not names or not {"chain", "draw"} <= set(posterior.dims):
        raise LeakyflowError(
            f"{path} must hold draws of parameters of a neuron, got {', '.join(names) or 'none'}. {CURE}"
        )
    many = "recording" in posterior.dims
    dims = (*(("recording",) if many else ()), "draw")
    columns = [
        posterior[name].stack(draws=("chain", "draw")).transpose(*dims[:-1], "draws").to_numpy() for name in names
    ]
    recordings = tuple(map(str, posterior["recording"].to_numpy())) if many else None
    return Draws(
        names,
        np.stack(columns, axis=-1).astype(np.float64),
        recordings,
        source=str(posterior.attrs.get("network", "")),
        diagnostics=_diagnostics(stats, recordings, str(posterior.attrs.get("recording", ""))),
        given=_given(constant),
        dt=float(posterior.attrs["dt"]) if "dt" in posterior.attrs else None,
    )


def _group(path: Path, name: str, *, empty: bool = False) -> xr.Dataset:
    """A group of the file, in memory; nothing where it may be missing."""
    try:
        with xr.open_dataset(path, group=name, engine="h5netcdf") as group:
            return group.load()
    except (OSError, KeyError):
        if not empty:
            raise
        return xr.Dataset()


def _diagnostics(stats: xr.Dataset, recordings: tuple[str, ...] | None, name: str) -> pd.DataFrame | None:
    if not stats.data_vars:
        return None
    columns: dict[str, Any] = {str(column): np.atleast_1d(stats[column].to_numpy()) for column in stats.data_vars}
    return pd.DataFrame(columns, index=pd.Index(recordings or (name,), name="recording"))


def _given(constant: xr.Dataset) -> dict[str, Any] | None:
    """Parameters that were not inferred."""
    found = {str(name): constant[name].to_numpy() for name in constant.data_vars if name in TABLE}
    return {name: value if value.ndim else float(value) for name, value in found.items()} or None
