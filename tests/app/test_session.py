import io
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leakyflow.app.choice import Choice
from leakyflow.app.exporting import exported
from leakyflow.app.inference import infer
from leakyflow.app.session import Session
from leakyflow.app.sessions import Sessions
from leakyflow.app.shelf import Shelf
from leakyflow.app.whatif import Wanted, simulated, under
from leakyflow.errors import LeakyflowError
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.app.conftest import number
from tests.cases import NEURON


def silent(message, share, so_far=None):
    assert message
    assert 0.0 <= share <= 1.0


@pytest.fixture(scope="module")
def result(folder):
    """Of the spiking cell, inferred here rather than in a worker."""
    choice = Choice(sweep=0, network="standard", n_draws=200)
    return infer(silent, folder / "spiking.npz", "spiking.npz", choice)


def test_a_file_is_opened_at_its_first_sweep(session):
    session.open(number(session, "quiet.csv"))
    assert (session.name, session.choice.sweep, session.readable) == ("quiet.csv", 0, (0,))
    assert session.trace().duration == pytest.approx(400.0)
    assert session.checks(0) == "fine"


def test_a_bad_file_is_said_and_what_was_open_stays(session):
    session.open(number(session, "quiet.csv"))
    with pytest.raises(LeakyflowError, match=r"broken\.abf"):
        session.open(number(session, "broken.abf"))
    assert session.name == "quiet.csv"
    assert session.trace().duration == pytest.approx(400.0)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "..\\outside", "/etc/hosts.csv", "../quiet.csv"])
def test_no_path_from_the_browser_is_opened(session, path):
    session.open(number(session, "quiet.csv"))
    with pytest.raises(LeakyflowError, match=r"no file|must name a channel"):
        session.lay_out(current=path)


def test_a_file_that_leaves_something_open_is_opened_once_that_is_said(session, tmp_path):
    session.open(number(session, "quiet.csv"))
    arrays = {
        "a_mV": np.full(4000, -70.0),
        "b_mV": np.linspace(-70.0, -60.0, 4000),
        "I_pA": np.linspace(0.0, 50.0, 4000),
    }
    np.savez(tmp_path / "two.npz", dt_ms=0.1, **arrays)
    asked = session.shelf.add("two.npz", (tmp_path / "two.npz").read_bytes())
    with pytest.raises(LeakyflowError, match="channel"):
        session.open(asked)
    assert session.name == "quiet.csv"  # what was open stays
    with pytest.raises(LeakyflowError, match="channel"):
        session.lay_out(channel="c_mV")
    session.lay_out(channel="b_mV")
    assert session.name == "two.npz"
    assert session.trace().V.max() == pytest.approx(-60.0)


def test_what_is_said_of_a_file_is_of_the_one_that_is_looked_at(session):
    session.open(number(session, "quiet.csv"))
    with pytest.raises(LeakyflowError):
        session.open(number(session, "broken.abf"))
    session.choose(sweep=0)
    session.lay_out(units="mV,pA")
    assert session.name == "quiet.csv"


def test_a_wrong_setting_changes_nothing(session):
    session.open(number(session, "quiet.csv"))
    before = session.choice
    with pytest.raises(LeakyflowError, match="`n_draws` must be 100"):
        session.choose(n_draws=5)
    with pytest.raises(LeakyflowError, match="no sweep 3"):
        session.choose(sweep=3)
    assert session.choice == before


def test_the_window_and_the_spike_settings_act(session, real_recordings, workers):
    real = Session(Shelf(real_recordings), workers)
    real.shelf.browse()
    real.open(number(real, "steps_171116sh_0018.abf"))
    real.choose(sweep=12)
    assert len(real.trace().peaks) == 12
    assert len(real.overlay()) == 17
    real.choose(start=100.0, stop=1000.0)
    assert real.recording().spikes.sum() == 6
    real.choose(spike_height=150.0)
    assert len(real.trace().peaks) == 0
    real.close()


def test_two_sessions_have_choices_of_their_own(folder, workers):
    one, other = Session(Shelf(folder), workers), Session(Shelf(folder), workers)
    one.shelf.browse()
    one.open(number(one, "quiet.csv"))
    one.choose(start=20.0)
    assert other.file is None
    assert other.choice.start is None
    one.close()
    other.close()


def test_nothing_open_is_said(session):
    with pytest.raises(LeakyflowError, match="No file is open"):
        session.infer()


def test_a_file_that_was_not_read_is_not_taken_for_the_one_before(session):
    session.open(number(session, "quiet.csv"))
    with pytest.raises(LeakyflowError):
        session.open(number(session, "broken.abf"))
    with pytest.raises(LeakyflowError, match=r"broken.abf could not be read, and quiet.csv is still open"):
        session.infer()
    session.choose(sweep=0)
    session.infer().cancel()


def test_a_result_holds_what_the_command_line_says(result, folder):
    import leakyflow as lf

    posterior = lf.load_posterior("standard")
    cell = lf.read_cell(folder / "spiking.npz", [0], dt=posterior.dt)
    verdict = lf.adequacy_of(posterior, cell, n_draws=200, seed=0)
    summary = verdict.draws.summary()
    assert [p.mean for p in result.parameters] == pytest.approx(summary["mean"].tolist())
    assert [p.name for p in result.parameters] == summary.index.tolist()
    assert [str(answer.text) for answer in result.answers] == [answer.text for answer in verdict.answers()]


def test_the_python_lines_give_the_same_draws(result, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(result.choice.python(result.file), names)
    np.testing.assert_array_equal(names["verdict"].draws.array, result.draws)
    assert "tau" in capsys.readouterr().out


def test_the_mean_neuron_is_simulated_under_the_recorded_current(result):
    found = simulated(None, result.mean, result.sweeps[0].I, 0.2)
    recorded = len(result.sweeps[0].spikes)
    assert abs(found.n_spikes[1] - recorded) <= 0.25 * recorded
    silenced = simulated(None, result.mean | {"V_th": 50.0}, result.sweeps[0].I, 0.2)
    assert silenced.n_spikes == (0, 0, 0)


@pytest.mark.parametrize("kind", ["step", "ramp", "sinusoid", "noise"])
def test_every_stimulus_of_ones_own_is_simulated(result, kind):
    found = under(None, result.neurons(20), Wanted(kind=kind), 0.2)
    assert found.band.shape == (3, 4000)
    assert np.ptp(found.I) > 100.0


@pytest.mark.parametrize("wrong", [{"amplitude": 1e6}, {"amplitude": float("nan")}, {"t_max": 1e9}])
def test_a_stimulus_is_bounded(wrong):
    with pytest.raises(LeakyflowError, match="must"):
        Wanted(**wrong)


def test_draws_are_exported_as_a_table(result):
    export = exported(silent, result, "csv")
    table = pd.read_csv(io.BytesIO(export.content), index_col="draw")
    assert export.name == "spiking_sweep0.csv"
    np.testing.assert_allclose(table.to_numpy(), result.draws)


@pytest.mark.parametrize(
    ("kind", "begins"), [("nc", b"\x89HDF"), ("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!DOCTYPE html>")]
)
def test_every_kind_is_what_it_says(result, kind, begins):
    assert exported(silent, result, kind).content.startswith(begins)


def test_a_neuron_is_exported_for_a_simulator(result):
    export = exported(silent, result, "brian2")
    names = zipfile.ZipFile(io.BytesIO(export.content)).namelist()
    assert names == ["spiking_sweep0.json", "spiking_sweep0_brian2.py"]


def test_an_unknown_kind_is_refused(result):
    with pytest.raises(LeakyflowError, match="`kind` must be one of"):
        exported(silent, result, "exe")


def test_the_oldest_result_goes(session, result):
    for seed in range(10):
        session.keep(replace(result, choice=replace(result.choice, seed=seed)))
    assert [kept.choice.seed for kept in session.results] == list(range(2, 10))


def test_what_is_inferred_anew_replaces_itself_alone(session, result):
    for one in (result, result, replace(result, choice=replace(result.choice, seed=1)), result):
        session.keep(one)
    assert [kept.choice.seed for kept in session.results] == [1, 0]


class Enough(Exception):
    """What is asked is known."""


@pytest.mark.parametrize(
    ("ms", "n", "said"),
    [
        (300.0, 1, "Drawing from the posterior of 1 sweep"),
        (600.0, 1, "knows single sweeps of 100 to 500 ms. The posterior of a sweep of 600 ms is searched"),
        (300.0, 2, "The posterior of 2 sweeps together is searched"),
    ],
)
def test_what_takes_long_is_said_before_it_begins(tmp_path, ms, n, said):
    stimulus = square(amplitude=200.0, onset=50.0, duration=100.0, t_max=ms, dt=0.2)
    V = [simulate(NEURON, stimulus, seed=seed).V for seed in range(n)]
    np.savez(tmp_path / "cell.npz", V_mV=np.stack(V), I_pA=np.stack([stimulus.I] * n), dt_ms=0.2)

    def heard(message, share, so_far=None):
        if share >= 0.3:
            raise Enough(message)

    with pytest.raises(Enough, match=said):
        infer(heard, tmp_path / "cell.npz", "cell.npz", Choice(whole=True, network="standard"))


def test_an_inference_runs_in_the_worker_and_its_parameters_come_first(session):
    session.open(number(session, "spiking.npz"))
    session.choose(network="standard", n_draws=100)
    job = session.infer()
    assert session.inferring is job
    job.wait(300.0)
    assert job.state == "done", job.message
    assert job.result.sweeps[0].name.startswith("simulation")
    assert [(p.name, p.mean) for p in job.so_far.parameters] == [(p.name, p.mean) for p in job.result.parameters]
    session.shown(job)
    assert session.inferring is None


def test_another_page_goes_on_with_a_session_once(session):
    sessions = Sessions()
    first = sessions.key(session)
    assert sessions.taken("guessed") is None
    assert sessions.taken(first) is session
    assert sessions.taken(first) is None
    second = sessions.key(session)
    sessions.end(first)  # the page that is gone
    assert session.shelf.folder.is_dir()
    sessions.end(second)
    assert not session.shelf.folder.exists()
