import numpy as np
import pytest

from leakyflow.reference.draws import Draws, n_decimals
from tests.fresh import run_python

NAMES = ("tau", "V_th")


@pytest.fixture
def one():
    rng = np.random.default_rng(1)
    return Draws(NAMES, rng.normal([17.0, -45.0], [2.0, 0.5], (4000, 2)), source="net")


@pytest.fixture
def many():
    rng = np.random.default_rng(2)
    return Draws(NAMES, rng.normal([17.0, -45.0], [2.0, 0.5], (3, 100, 2)), ("a", "b", "c"))


def test_draws_are_a_mapping_with_leading_axes_first(one, many):
    assert one["tau"].shape == (4000,)
    assert many["V_th"].shape == (3, 100)
    assert tuple(one) == NAMES
    assert one.units == {"tau": "ms", "V_th": "mV"}
    assert np.array_equal(many["V_th"], many.array[..., 1])


def test_summary_holds_mean_sd_and_central_interval(one):
    table = one.summary()
    assert list(table.columns) == ["unit", "mean", "sd", "q05", "q95"]
    assert table.loc["tau", "unit"] == "ms"
    assert np.isclose(table.loc["tau", "mean"], one["tau"].mean())
    inside = (one["tau"] > table.loc["tau", "q05"]) & (one["tau"] < table.loc["tau", "q95"])
    assert abs(inside.mean() - 0.9) < 1e-3


@pytest.mark.parametrize(
    ("interval", "columns"), [(0.5, ["q25", "q75"]), (0.95, ["q2.5", "q97.5"]), (0.9, ["q05", "q95"])]
)
def test_an_interval_names_its_own_quantiles(one, interval, columns):
    assert list(one.summary(interval=interval).columns[3:]) == columns


def test_summary_of_many_has_a_row_for_each_recording_and_parameter(many):
    table = many.summary()
    assert list(table.index) == [(r, p) for r in "abc" for p in NAMES]
    assert np.isclose(table.loc[("b", "V_th"), "sd"], many["V_th"][1].std())


def test_dataframe_has_a_row_for_each_draw(one, many):
    assert one.to_dataframe().shape == (4000, 2)
    frame = many.to_dataframe()
    assert frame.loc[("c", 7), "tau"] == many["tau"][2, 7]


def test_arviz_holds_the_draws_with_units(one, many):
    data = one.to_arviz()
    assert dict(data.posterior.sizes) == {"chain": 1, "draw": 4000}
    assert np.array_equal(data.posterior["tau"].values[0], one["tau"])
    assert data.posterior["tau"].attrs["units"] == "ms"
    assert data.posterior.attrs["network"] == "net"
    both = many.to_arviz().posterior
    assert np.array_equal(both["V_th"].sel(recording="b").values[0], many["V_th"][1])


def test_arviz_survives_the_way_to_disk(one, tmp_path):
    import arviz as az

    one.to_arviz().to_netcdf(str(tmp_path / "draws.nc"))
    assert np.array_equal(az.from_netcdf(str(tmp_path / "draws.nc")).posterior["V_th"].values[0], one["V_th"])


def test_the_notice_of_the_day_stays_unseen(tmp_path):
    """ArviZ notes in the cache folder when it last warned: an empty one is the first import of a day."""
    code = "import leakyflow.reference.draws as d; assert d.import_arviz().__name__ == 'arviz'"
    assert "ArviZ" not in run_python(code, XDG_CACHE_HOME=str(tmp_path)).stderr
    assert "ArviZ is undergoing" in run_python("import arviz", XDG_CACHE_HOME=str(tmp_path / "other")).stderr


def test_each_error_says_what_to_do(one):
    with pytest.raises(KeyError, match="among the inferred tau, V_th"):
        one["C"]
    with pytest.raises(ValueError, match="`interval` must lie between 0 and 1, got 90"):
        one.summary(interval=90)


@pytest.mark.parametrize(("sd", "expected"), [(12.0, 0), (9.9, 1), (0.81, 2), (0.0017, 4), (1e-9, 6), (0.0, 3)])
def test_numbers_show_two_digits_of_their_sd(sd, expected):
    assert n_decimals(sd) == expected
