"""Draws to a file."""

import io
from pathlib import Path

import h5netcdf
import xarray as xr
from xarray.backends import H5NetCDFStore

from leakyflow.likelihood.draws import Draws

__all__ = ["write_draws"]


def write_draws(draws: Draws, path: str | Path, **about: object) -> None:
    """Write posterior draws to a NetCDF file, as `Draws.to_arviz().to_netcdf` does.

    The file is made in memory first: HDF5 that runs out of room writes again when it closes, and then ends the process.

    Args:
        draws: What is written, with its diagnostics and with what was not inferred.
        path: Of the file.
        **about: Attributes of the group `posterior`, such as the recording.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import numpy as np
        >>> from leakyflow.likelihood.read_draws import read_draws
        >>> draws = Draws(("tau",), np.array([[17.0], [18.0]]), dt=0.2)
        >>> write_draws(draws, "cell.nc", recording="cell")
        >>> read_draws("cell.nc") == draws
        True
    """
    data = draws.to_arviz()
    data["posterior"].attrs |= about
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        for group in data.groups():
            _add(file, group, data[group])
    Path(path).write_bytes(buffer.getbuffer())


def _add(file: h5netcdf.File, name: str, group: xr.Dataset) -> None:
    numbers = [column for column, values in group.variables.items() if values.dtype.kind in "iuf"]
    store = H5NetCDFStore(file, group=name, mode="a")
    group.dump_to_store(store, encoding={column: {"zlib": True} for column in numbers})
