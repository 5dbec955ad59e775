import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws, n_decimals
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, stimulated
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


def test_input_resistance_is_how_far_a_simulated_voltage_goes_under_a_small_current():
    """With sag, which takes half of it."""
    given = dict(NEURON.replace(membrane_noise=0.0, sag=1.0, sag_tau=60.0))
    C = np.array([60.0, 120.0])
    found = Draws(("C",), C[:, None], given={k: v for k, v in given.items() if k != "C"}, dt=0.2).input_resistance()
    current = square(amplitude=10.0, onset=50.0, duration=1950.0, t_max=2000.0, dt=0.2)
    last = [simulate(NEURON.replace(membrane_noise=0.0, sag=1.0, sag_tau=60.0, C=c), current, seed=1).V[-1] for c in C]
    np.testing.assert_allclose(found, 1e3 * (np.array(last) - NEURON.V_rest) / 10.0, rtol=1e-3)
    without = Draws(("C",), C[:, None], given={k: v for k, v in given.items() if k != "C"} | {"sag": 0.0}, dt=0.2)
    np.testing.assert_allclose(without.input_resistance(), 2.0 * found, rtol=1e-6)


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


# --- equality


def test_draws_are_equal_where_all_numbers_are(one, many):
    """Version 0.1.0 raised: the truth value of an array is ambiguous."""
    again = Draws(one.names, one.array.copy(), source="another network")
    assert one == again
    other = one.array.copy()
    other[17, 1] += 1e-9
    assert one != Draws(one.names, other)
    assert one != Draws(("tau", "C"), one.array)
    assert one != Draws(one.names, one.array[:10])
    assert many != Draws(NAMES, many.array, ("a", "b", "d"))
    assert many.of(0) != many.of(1)
    assert one != dict(one)
    assert one != 17.0
    missing = Draws(("tau",), np.full((2, 1), np.nan))
    assert missing == Draws(("tau",), np.full((2, 1), np.nan))


# --- back to neurons


REST = {name: value for name, value in dict(NEURON).items() if name not in NAMES}


def given_for(n: int) -> dict:
    return REST | {"V_reset": np.linspace(-65.0, -55.0, n)}


def test_draws_of_one_recording_are_neurons(one):
    neurons = Draws(one.names, one.array[:5], given=REST).parameters()
    assert isinstance(neurons, Parameters)
    assert np.array_equal(neurons.tau, one["tau"][:5])
    assert neurons.C == 90.0
    stimulus = square(amplitude=300.0, onset=10.0, duration=90.0, t_max=100.0, dt=0.2)
    assert len(simulate(neurons, stimulus, seed=1)) == 5


def test_draws_of_many_have_what_was_read_off_each_recording(many):
    draws = Draws(many.names, many.array, many.recordings, given=given_for(3))
    neurons = draws.parameters()
    assert neurons.tau.shape == (3, 100)
    assert np.array_equal(neurons.V_reset, [[-65.0], [-60.0], [-55.0]])
    assert draws.of(2).parameters().V_reset == draws.of(-1).parameters().V_reset == -55.0


def test_draws_made_by_hand_say_what_is_missing(one):
    with pytest.raises(LeakyflowError, match=r"more than its tau, V_th.*Pass given="):
        one.parameters()


# --- ArviZ


@pytest.fixture(scope="module")
def recording():
    return stimulated(250.0, threshold_noise=1.0)


def neurons_near(n: int, recordings: tuple[str, ...] | None = None) -> Draws:
    rng = np.random.default_rng(3)
    shape = (n, 2) if recordings is None else (len(recordings), n, 2)
    rows = recordings or ("cell",)
    table = pd.DataFrame(
        [
            {"method": "importance", "reliable": True, "k_hat": 0.1 * i, "ess": 80.0 + i, "note": ""}
            for i in range(len(rows))
        ],
        index=pd.Index(rows, name="recording"),
    )
    given = REST | {"threshold_noise": 1.0}
    given |= {} if recordings is None else {"V_reset": np.linspace(-62.0, -58.0, len(rows))}
    return Draws(NAMES, rng.normal([17.0, -45.0], [0.5, 0.2], shape), recordings, diagnostics=table, given=given)


def test_diagnostics_are_sample_stats(recording):
    stats = neurons_near(6).to_arviz().sample_stats
    assert stats["k_hat"].item() == 0.0
    assert stats["ess"].item() == 80.0
    assert stats["method"].item() == "importance"
    many = neurons_near(6, ("a", "b")).to_arviz()
    assert many.sample_stats["k_hat"].sel(recording="b").item() == 0.1
    assert "k_hat" not in many.posterior.coords


def test_what_was_observed_goes_along_with_its_likelihood(recording):
    draws = neurons_near(6)
    data = draws.to_arviz(recording)
    assert np.array_equal(data.observed_data["V"], recording.V)
    assert np.array_equal(data.observed_data["spikes"], recording.spikes)
    assert np.array_equal(data.constant_data["I"], recording.I)
    assert data.observed_data["time"].values[1] == recording.dt
    assert data.observed_data["V"].attrs["units"] == "mV"
    expected = log_likelihood(draws.parameters(), recording)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(data.log_likelihood["V"].values[0], expected)


def test_of_many_recordings_each_has_its_own_likelihood_and_no_number_in_its_padding(recording):
    short = stimulated(250.0, t_max=150.0, seed=2, threshold_noise=1.0)
    batch = Batch.from_list([recording, short])
    batch = replace(batch, names=("a", "b"), cell_names=("a", "b"))
    draws = neurons_near(6, ("a", "b"))
    data = draws.to_arviz(batch)
    for i, one in enumerate((recording, short)):
        expected = log_likelihood(draws.of(i).parameters(), one)
        np.testing.assert_allclose(data.log_likelihood["V"].isel(recording=i).values[0], expected)
    V = data.observed_data["V"].sel(recording="b").values
    assert np.isnan(V[short.n_samples :]).all()
    assert np.isfinite(V[: short.n_samples]).all()


def test_of_a_cell_all_sweeps_are_observed(recording):
    short, draws = stimulated(250.0, t_max=150.0, seed=2, threshold_noise=1.0), neurons_near(6)
    data = draws.to_arviz(Cell([recording, short], name="cell"))
    assert data.observed_data["V"].sizes["sweep"] == 2
    expected = sum(log_likelihood(draws.parameters(), sweep) for sweep in (recording, short))
    np.testing.assert_allclose(data.log_likelihood["V"].values[0], expected)


def test_without_a_known_likelihood_there_is_no_such_group(recording):
    draws = neurons_near(6)
    silent = {name: value for name, value in draws.given.items() if name != "membrane_noise"}
    for which in (Draws(draws.names, draws.array, given=silent), Draws(draws.names, draws.array)):
        assert set(which.to_arviz(recording).groups()) == {"posterior", "observed_data", "constant_data"}


def test_predictions_are_there_where_asked_for(recording):
    draws = neurons_near(6)
    simulations = Batch.from_list([recording, recording])
    data = draws.to_arviz(recording, predictive=simulations)
    assert dict(data.posterior_predictive["V"].sizes) == {"chain": 1, "draw": 2, "time": recording.n_samples}
    assert "posterior_predictive" not in draws.to_arviz(recording).groups()
    for wrong, match in (
        ((draws, Batch.from_list([stimulated(0.0, t_max=100.0)])), "as long as the recording"),
        ((Draws(NAMES, draws.array[:1]), simulations), "at most 1 draws"),
    ):
        with pytest.raises(LeakyflowError, match=match):
            wrong[0].to_arviz(recording, predictive=wrong[1])


def test_another_recording_than_the_draws_is_refused(recording):
    with pytest.raises(LeakyflowError, match=r"`recording` must be .* 2 recordings \(a, b, ...\), got one recording"):
        neurons_near(6, ("a", "b")).to_arviz(recording)


def test_all_groups_survive_the_way_to_disk(recording, tmp_path):
    import arviz as az

    neurons_near(6).to_arviz(recording, predictive=Batch.from_list([recording])).to_netcdf(str(tmp_path / "all.nc"))
    data = az.from_netcdf(str(tmp_path / "all.nc"))
    assert {"sample_stats", "observed_data", "log_likelihood", "posterior_predictive"} <= set(data.groups())
    assert data.sample_stats["method"].item() == "importance"


def test_arviz_survives_the_way_to_disk(one, tmp_path):
    import arviz as az

    one.to_arviz().to_netcdf(str(tmp_path / "draws.nc"))
    assert np.array_equal(az.from_netcdf(str(tmp_path / "draws.nc")).posterior["V_th"].values[0], one["V_th"])


def test_the_notice_of_the_day_stays_unseen(tmp_path):
    """ArviZ notes in the cache folder when it last warned: an empty one is the first import of a day."""
    code = "import leakyflow.likelihood.draws as d; assert d.import_arviz().__name__ == 'arviz'"
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


def test_arviz_needs_no_cache_folder():
    """Its own import fails there: it writes down on which day it was imported."""
    nowhere = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere"}
    for code, works in (
        ("from leakyflow.likelihood.draws import import_arviz; import_arviz()", True),
        ("import arviz", False),
    ):
        ended = subprocess.run([sys.executable, "-c", code], env=os.environ | nowhere, capture_output=True, check=False)
        assert (ended.returncode == 0) == works, ended.stderr.decode()
