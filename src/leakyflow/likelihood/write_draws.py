"""Draws to a file."""

import io
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from leakyflow.likelihood.draws import Draws

__all__ = ["write_draws"]

RW = 1  # H5LT_FILE_IMAGE_OPEN_RW

# Of a group: its name, its attributes, and of each variable the name, axes, shape, kind and attributes.
Layout = tuple[tuple[str, Hashable, tuple[tuple[str, Any, Any, str, Any, bool], ...]], ...]


def write_draws(draws: Draws, path: str | Path, **about: object) -> None:
    """Write posterior draws to a NetCDF file, as `Draws.to_arviz().to_netcdf` does.

    The file is made in memory first: HDF5 that runs out of room writes again when it closes, and then ends the process.
    Where many are written, each is a copy of an empty one of the same layout, with its own numbers: laying it out takes
    eight times as long.

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
    groups = {name: data[name] for name in data.groups()}
    identifier = h5py.h5f.open_file_image(_empty(_layout(groups)), RW)
    with h5py.File(identifier) as file:
        for group, own in groups.items():
            for name, variable in own.variables.items():
                _fill(file[group][name], variable.values)
        file.flush()
        image = identifier.get_file_image()
    Path(path).write_bytes(image)


def _fill(place: h5py.Dataset, values: np.ndarray) -> None:
    place[...] = values if values.dtype.kind in "iuf" else values.astype(object)


def _layout(groups: dict[str, xr.Dataset]) -> Layout:
    return tuple((group, _items(own.attrs), tuple(_variables(own))) for group, own in groups.items())


def _variables(own: xr.Dataset) -> Any:
    for name, variable in own.variables.items():
        kind = variable.dtype.str if variable.dtype.kind in "iuf" else "U"
        yield str(name), variable.dims, variable.shape, kind, _items(variable.attrs), name in own.coords


def _items(attributes: dict) -> tuple[tuple[str, Any], ...]:
    return tuple(attributes.items())


@lru_cache(maxsize=16)
def _empty(layout: Layout) -> bytes:
    """A file with no numbers in it."""
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        for group, attributes, variables in layout:
            blank = {
                name: (xr.Variable(dims, np.zeros(shape, kind), dict(items)), is_coordinate)
                for name, dims, shape, kind, items, is_coordinate in variables
            }
            data = {name: variable for name, (variable, is_coordinate) in blank.items() if not is_coordinate}
            coordinates = {name: variable for name, (variable, is_coordinate) in blank.items() if is_coordinate}
            _add(file, group, xr.Dataset(data, coordinates, dict(attributes)))  # type: ignore[call-overload]
    return buffer.getvalue()


def _add(file: h5netcdf.File, name: str, group: xr.Dataset) -> None:
    numbers = [column for column, values in group.variables.items() if values.dtype.kind in "iuf"]
    store = H5NetCDFStore(file, group=name, mode="a")
    group.dump_to_store(store, encoding={column: {"zlib": True} for column in numbers})
