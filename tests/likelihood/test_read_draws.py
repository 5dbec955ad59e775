from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.read_draws import read_draws
from leakyflow.likelihood.write_draws import write_draws
from tests.room import little_room

GIVEN = {"V_rest": -72.0, "C": 90.0, "V_th": -45.0, "V_reset": -60.0, "t_ref": 3.0}


def draws(recordings: tuple[str, ...] | None = None) -> Draws:
    shape = (*(() if recordings is None else (len(recordings),)), 40, 2)
    rows = [{"method": "importance", "k_hat": 0.1, "note": ""} for _ in recordings or ("cell",)]
    given = GIVEN if recordings is None else GIVEN | {"t_ref": np.arange(2.0, 2.0 + len(recordings))}
    return Draws(
        ("tau", "sag"),
        np.random.default_rng(1).uniform(10.0, 20.0, shape),
        recordings,
        source="cell",
        diagnostics=pd.DataFrame(rows, index=pd.Index(recordings or ("",), name="recording")),
        given=given,
        dt=0.2,
    )


def by_arviz(written: Draws, path: Path) -> None:
    written.to_arviz().to_netcdf(str(path))


@pytest.mark.parametrize("recordings", [None, ("a", "b", "c")], ids=["one", "many"])
@pytest.mark.parametrize("write", [write_draws, by_arviz])
def test_what_was_written_is_read_back(write, recordings, tmp_path):
    written = draws(recordings)
    write(written, tmp_path / "cell.nc")
    found = read_draws(tmp_path / "cell.nc")
    assert found == written
    assert (found.source, found.dt) == ("cell", 0.2)
    pd.testing.assert_frame_equal(found.diagnostics, written.diagnostics)
    assert set(found.given) == set(written.given)
    for name, value in written.given.items():
        np.testing.assert_array_equal(found.given[name], value)


@pytest.mark.parametrize("recordings", [None, ("a", "b", "c")], ids=["one", "many"])
def test_arviz_reads_the_same_of_both(recordings, tmp_path):
    import arviz as az

    written = draws(recordings)
    by_arviz(written, tmp_path / "theirs.nc")
    write_draws(written, tmp_path / "ours.nc", recording="cell", seed=1)
    theirs, ours = (az.from_netcdf(tmp_path / f"{name}.nc") for name in ("theirs", "ours"))
    assert ours.groups() == theirs.groups()
    assert {name: ours.posterior.attrs.pop(name) for name in ("recording", "seed")} == {"recording": "cell", "seed": 1}
    for group in theirs.groups():
        assert ours[group].drop_attrs().identical(theirs[group].drop_attrs())
        assert {**ours[group].attrs, "created_at": ""} == {**theirs[group].attrs, "created_at": ""}
    assert (tmp_path / "ours.nc").stat().st_size <= (tmp_path / "theirs.nc").stat().st_size


@pytest.mark.parametrize("room", [0, 100, 6000, 18117, 20000])
def test_draws_that_find_no_room_are_an_error_and_no_crash(room, tmp_path):
    with pytest.raises(OSError, match="large"), little_room(room):
        write_draws(draws(tuple(map(str, range(100)))), tmp_path / "cell.nc")


def test_draws_without_all_that_belongs_to_them_are_read_too(tmp_path):
    Draws(("tau",), np.ones((5, 1))).to_arviz().to_netcdf(str(tmp_path / "cell.nc"))
    found = read_draws(tmp_path / "cell.nc")
    assert (found.diagnostics, found.given, found.dt, found.source) == (None, None, None, "")


def test_what_is_something_else_is_refused(tmp_path):
    import arviz as az

    (tmp_path / "text.nc").write_text("tau")
    az.from_dict(posterior={"mu": np.zeros((1, 5))}).to_netcdf(str(tmp_path / "other.nc"))
    with pytest.raises(FileNotFoundError, match="No draws at"):
        read_draws(tmp_path / "none.nc")
    with pytest.raises(LeakyflowError, match="the posterior cannot be read"):
        read_draws(tmp_path / "text.nc")
    with pytest.raises(LeakyflowError, match="must hold draws of parameters of a neuron, got mu"):
        read_draws(tmp_path / "other.nc")


def damaged(path: Path, name: str, value: object, attribute: str = "") -> Path:
    """A file of many recordings, in which something is another, or missing."""
    import h5py

    write_draws(draws(("a", "b", "c")), path)
    with h5py.File(path, "r+") as file:
        if attribute:
            file[name].attrs[attribute] = value
            return path
        del file[name]
        if isinstance(value, np.ndarray | str | float):
            file[name] = value
    if isinstance(value, xr.Dataset):
        value.to_netcdf(path, mode="a", group=name, engine="h5netcdf")
    return path


def group(name: str, *dims: str, value: float = 1.0) -> xr.Dataset:
    """A group of two variables over all dimensions, and one over some."""
    sizes = {"recording": 3, "chain": 1, "draw": 40, "other": 2}
    whole = xr.DataArray(np.ones((3, 1, 40)), dims=("recording", "chain", "draw"))
    return xr.Dataset({"sag": whole, name: (dims, np.full([sizes[dim] for dim in dims], value))})


@pytest.mark.parametrize(
    ("name", "value", "attribute", "message"),
    [
        ("posterior", group("tau", "recording", "chain", "draw", value=np.nan), "", "`tau` must hold finite numbers"),
        ("posterior", group("tau", "recording", "draw"), "", "`tau` must hold .* over recording, chain, draw, got"),
        ("posterior/tau", "text", "", "`tau` must hold finite numbers"),
        ("posterior", None, "", "must hold draws of parameters of a neuron, got none"),
        ("posterior", np.zeros(3), "", "the posterior cannot be read"),
        ("posterior", "fast", "dt", "`dt` must be a positive number of ms, got 'fast'"),
        ("posterior", np.zeros(2), "dt", "`dt` must be a positive number of ms"),
        ("sample_stats/k_hat", 0.1, "", "`k_hat` must hold a value of each recording"),
        ("constant_data/C", "text", "", "`C` must be a number, or one of each recording"),
        ("constant_data", group("t_ref", "recording", "other"), "", "must be a number, or one of each recording"),
    ],
)
def test_draws_that_were_damaged_are_refused_with_the_part(name, value, attribute, message, tmp_path):
    with pytest.raises(LeakyflowError, match=message):
        read_draws(damaged(tmp_path / "cell.nc", name, value, attribute))


def test_draws_with_an_axis_that_has_no_name_are_refused(tmp_path):
    import h5py

    write_draws(draws(), tmp_path / "cell.nc")
    with h5py.File(tmp_path / "cell.nc", "r+") as file:
        attributes, values = dict(file["posterior/tau"].attrs), file["posterior/tau"][()]
        del file["posterior/tau"]
        file["posterior/tau"] = np.repeat(values[..., None], 2, axis=-1)
        for name, value in attributes.items():
            dtype = h5py.vlen_dtype(h5py.ref_dtype) if name == "DIMENSION_LIST" else None
            file["posterior/tau"].attrs.create(name, value, dtype=dtype)
    with pytest.raises(LeakyflowError, match=r"`tau` must hold finite numbers over .* \(1, 40, 2\) over chain, draw"):
        read_draws(tmp_path / "cell.nc")


def test_draws_of_such_groups_that_are_whole_are_read(tmp_path):
    """Negative control of the ones above."""
    found = read_draws(damaged(tmp_path / "cell.nc", "posterior", group("tau", "recording", "chain", "draw")))
    assert found["tau"].shape == (3, 40)


@pytest.mark.parametrize("group", ["sample_stats", "constant_data"])
def test_a_group_that_is_there_and_cannot_be_read_is_not_taken_for_missing(group, tmp_path):
    whole = read_draws(damaged(tmp_path / "without.nc", group, None))
    assert (whole.diagnostics is None) is (group == "sample_stats")
    with pytest.raises(LeakyflowError, match="cannot be read"):
        read_draws(damaged(tmp_path / "cell.nc", group, np.zeros(3)))


def test_files_of_one_layout_have_numbers_of_their_own(tmp_path):
    first, second = draws(), draws()
    second = replace(second, array=second.array + 1.0, given=GIVEN | {"t_ref": 5.0})
    for written in (first, second, first):
        write_draws(written, tmp_path / "cell.nc", recording="cell")
        found = read_draws(tmp_path / "cell.nc")
        assert found == written
        assert found.given["t_ref"] == written.given["t_ref"]
        np.testing.assert_array_equal(found.diagnostics["k_hat"], written.diagnostics["k_hat"])
    assert first != second


def test_the_same_draws_are_the_same_bytes_whatever_was_written_before(tmp_path):
    for name in ("a.nc", "b.nc"):
        write_draws(draws(), tmp_path / name)
        write_draws(draws(("a", "b", "c")), tmp_path / "other.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert (tmp_path / "a.nc").read_bytes() != (tmp_path / "other.nc").read_bytes()
