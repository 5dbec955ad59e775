"""The command line, as a user meets it: tables, files, errors on one screen."""

import os
import re
import shlex
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main
from matplotlib.layout_engine import ConstrainedLayoutEngine
from typer.testing import CliRunner, Result

import leakyflow.training.config
from leakyflow import __version__, cli
from leakyflow.cli import features_verdict, keep_compiled
from leakyflow.diagnostics.suite import Suite
from leakyflow.diagnostics.verdicts import Check
from leakyflow.recordings.export import save_recording
from leakyflow.simulator.dataset import open_dataset
from leakyflow.simulator.lif import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON
from tests.fresh import run_python
from tests.report.diagnosed import diagnose
from tests.room import little_room

SMALL = 'base = "quick"\n[training]\nn_simulations = 1100\nepochs = 2\nbatch_size = 50\n'


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    """A terminal of 80 columns in an empty folder."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LEAKYFLOW_TRACEBACK", raising=False)
    monkeypatch.setattr("leakyflow.diagnostics.typicality.N_SIMULATIONS", 800)  # seconds, not a minute
    monkeypatch.chdir(tmp_path)


def leakyflow_(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def said(result: Result) -> str:
    """Everything printed, as one line of words without the frame of a panel."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.stdout + result.stderr).split())


def is_one_screen(result: Result) -> bool:
    """Whether a command failed as it should: exit status 2, a short panel, no traceback, no control characters."""
    text = result.stdout + result.stderr
    return (
        result.exit_code == 2
        and "Error" in result.stderr
        and "Traceback" not in text
        and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
        and result.stderr.count("\n") < 24
    )


def rows(**changed: float) -> np.ndarray:
    """Time, voltage and current of a cell that does not spike, in ms, mV, pA."""
    duration = changed.get("duration", 400.0)
    t = np.arange(0.0, duration, 0.1)
    I = np.where(t >= 50.0, 40.0, 0.0)
    V = -70.0 + np.where(t >= 50.0, 8.0 * (1.0 - np.exp(-(t - 50.0) / 20.0)), 0.0)
    V += 0.1 * np.random.default_rng(1).standard_normal(len(t))
    return np.stack([t, V * changed.get("V_scale", 1.0), I * changed.get("I_scale", 1.0)], axis=-1)


def write_csv(path: Path, table: np.ndarray, header: str = "t_ms,V_mV,I_pA") -> Path:
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6g")
    return path


@pytest.fixture
def cell(tmp_path) -> Path:
    return write_csv(tmp_path / "cell.csv", rows())


@pytest.fixture
def spiking_cell(tmp_path) -> Path:
    stimulus = square(amplitude=200.0, onset=50.0, duration=200.0, t_max=300.0, dt=0.2)
    return save_recording(simulate(NEURON, stimulus, seed=1), tmp_path / "spiking.npz")


# --- help


COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def examples_of(epilog: str | None) -> list[str]:
    return re.findall(r"leakyflow ([^\[]+)\[", epilog or "")


EXAMPLES = [example for command in COMMANDS.values() for example in examples_of(command.epilog)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_in_its_help(name):
    assert any(example.startswith(name) for example in examples_of(COMMANDS[name].epilog))
    assert "Examples" in leakyflow_(name, "--help").stdout


@pytest.mark.parametrize("example", [*EXAMPLES, *examples_of(typer.main.get_command(cli.app).epilog)])
def test_every_example_is_understood(example):
    # Help comes after the options are parsed: an unknown one would end with status 2.
    assert leakyflow_(*shlex.split(example), "--help").exit_code == 0
    assert len(f" leakyflow {example}") <= 80


def test_an_example_with_a_typo_would_be_seen():
    assert leakyflow_("infer", "cell.abf", "--swep", "3", "--help").exit_code == 2


HELP = """
import sys, time
sys.argv = ["leakyflow", "--help"]
from leakyflow.cli import main
try:
    main()
except SystemExit:
    heavy = {"jax", "keras", "bayesflow", "numpy", "matplotlib"}
    print(time.process_time(), *sorted(heavy & set(sys.modules)))
"""


def test_help_comes_at_once():
    seconds, *loaded = run_python(HELP).stdout.splitlines()[-1].split()
    assert loaded == []
    assert float(seconds) < 1.0


def test_version_is_shown():
    assert leakyflow_("--version").stdout.strip() == __version__


def test_no_command_shows_help():
    assert "Examples" in leakyflow_().stdout + leakyflow_().stderr


# --- presets and sweeps


def test_presets_lists_each_with_its_purpose():
    result = leakyflow_("presets")
    assert result.exit_code == 0
    assert set(cli.PURPOSES) == set(leakyflow.training.config.presets())
    for name in cli.PURPOSES:
        assert re.search(rf"^ {name} ", result.stdout, re.MULTILINE)
    assert "threshold_noise" in result.stdout  # nothing is cut off


def test_tables_fit_into_80_columns_without_control_characters(cell):
    for result in (leakyflow_("presets"), leakyflow_("sweeps", cell)):
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout)


def test_sweeps_describes_each(real_recordings):
    result = leakyflow_("sweeps", real_recordings / "steps_171116sh_0018.abf")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if re.match(r"^ +\d+ ", line)]
    assert [int(line[0]) for line in lines] == list(range(17))
    assert [int(line[-1]) for line in lines][:5] == [0] * 5
    assert "command" in result.stdout


SWEEPS = """
import gc, sys, time
sys.argv = ["leakyflow", "sweeps", {file!r}]
from leakyflow.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"jax", "keras", "bayesflow", "matplotlib", "scipy.stats", "zarr"}}
print(gc.get_threshold()[0], time.process_time(), *sorted(heavy & set(sys.modules)))
"""


def test_sweeps_come_at_once(real_recordings):
    code = SWEEPS.format(file=str(real_recordings / "steps_171116sh_0018.abf"))
    threshold, seconds, *loaded = run_python(code).stdout.splitlines()[-1].split()
    assert loaded == []
    assert float(seconds) < 1.5
    assert int(threshold) > 700  # garbage is looked for more rarely than by default


# --- simulate


def test_simulate_writes_a_dataset(tmp_path):
    result = leakyflow_("simulate", "--config", "quick", "--n", 20, "--seed", 5, "--out", "data.zarr")
    assert result.exit_code == 0, said(result)
    dataset = open_dataset(tmp_path / "data.zarr")
    assert (len(dataset), dataset.seed) == (20, 5)


def test_simulate_into_another_dataset_is_refused():
    assert leakyflow_("simulate", "-c", "quick", "--n", 20, "--seed", 5, "--out", "data.zarr").exit_code == 0
    result = leakyflow_("simulate", "-c", "quick", "--n", 20, "--seed", 6, "--out", "data.zarr")
    assert is_one_screen(result)
    assert "another seed" in said(result)


def test_simulate_interrupted_says_how_to_continue(monkeypatch):
    arguments = ("simulate", "--config", "quick", "--n", "1100", "--seed", "5", "--out", "data.zarr")
    original, calls = leakyflow.simulator.dataset.simulate_traces, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr("leakyflow.simulator.dataset.simulate_traces", interrupted)
    result = leakyflow_(*arguments)
    assert result.exit_code == 130
    assert f"Continue with: leakyflow {' '.join(arguments)}" in said(result)
    assert leakyflow_(*arguments).exit_code == 0
    assert len(calls) == 3


def test_simulate_on_a_full_disk_ends_on_one_screen_and_continues():
    arguments = ("simulate", "--config", "quick", "--n", 300, "--seed", 5, "--out", "data.zarr")
    with little_room(100_000):
        result = leakyflow_(*arguments)
    assert is_one_screen(result)
    assert "Free some space" in said(result)
    assert leakyflow_(*arguments).exit_code == 0
    # The same bits as without the interruption.
    assert leakyflow_(*arguments[:-1], "whole.zarr").exit_code == 0
    resumed, whole = (open_dataset(name).recordings() for name in ("data.zarr", "whole.zarr"))
    np.testing.assert_array_equal(resumed.V, whole.V)


# --- train


def test_train_interrupted_resumes_to_the_end(monkeypatch, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    original, calls = leakyflow.simulator.dataset.simulate_traces, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("leakyflow.simulator.dataset.simulate_traces", interrupted)
        result = leakyflow_("train", "--config", "small.toml", "--out", "runs/small")
    assert result.exit_code == 130
    assert "Continue with: leakyflow train --resume --out runs/small" in said(result)

    with monkeypatch.context() as patch:
        patch.setattr("leakyflow.training.fit.prepare", stop)
        assert leakyflow_("train", "--resume", "--out", "runs/small").exit_code == 130

    result = leakyflow_("train", "--resume", "--out", "runs/small")
    assert result.exit_code == 0, said(result)
    assert "of 2" in said(result)
    assert "leakyflow infer FILE --network runs/small" in said(result)
    assert (tmp_path / "runs/small/network.weights.h5").is_file()

    again = leakyflow_("train", "--config", "small.toml", "--out", "runs/small")
    assert is_one_screen(again)
    assert "--resume" in said(again)


def stop(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "standrad", "--out", "run"), "Did you mean `standard`?"),
        (("--resume", "--out", "run"), "No run to resume in run"),
        (("--config", "quick", "--dataset", "nowhere.zarr", "--out", "run"), "No dataset at nowhere.zarr"),
        (("--config", "bad.toml", "--out", "run"), "Did you mean `epochs`?"),
    ],
)
def test_train_refuses_what_it_cannot_do(arguments, words, tmp_path):
    (tmp_path / "bad.toml").write_text('base = "quick"\n[training]\nepoch = 3\n')
    result = leakyflow_("train", *arguments)
    assert is_one_screen(result)
    assert words in said(result)
    assert not (tmp_path / "run" / "network.weights.h5").exists()


@pytest.mark.parametrize("arguments", [("--out", "run"), ("--out", "run", "--config", "quick", "--resume")])
def test_train_takes_a_configuration_or_resumes(arguments):
    result = leakyflow_("train", *arguments)
    assert result.exit_code == 2
    assert "either --config" in said(result)


# --- infer


def test_infer_gives_a_table_a_figure_and_draws(spiking_cell, tiny_run):
    import arviz as az

    arguments = ("infer", spiking_cell, "--network", tiny_run.folder, "--draws", 200)
    result = leakyflow_(*arguments, "--out", "found")
    assert result.exit_code == 0, said(result)
    text = said(result)
    for words in (
        "mean SD 5 % 95 % unit",
        "tau",
        "pF",
        "refractory for 3 ms",
        "I_pA",
        "Posterior predictive",
    ):
        assert words in text
    assert sorted(path.name for path in Path("found").iterdir()) == [
        "spiking.nc",
        "spiking.png",
        "spiking.svg",
    ]
    posterior = az.from_netcdf("found/spiking.nc")["posterior"]
    assert posterior["tau"].shape == (1, 200)
    assert posterior["C"].attrs["units"] == "pF"
    assert posterior.attrs["recording"] == "simulation 0"
    # The table is that of the draws in the file, to the two digits of the SD that it shows.
    shown = float(re.search(r"V_rest +(-[\d.]+)", result.stdout)[1])
    assert shown == pytest.approx(float(posterior["V_rest"].mean()), abs=0.06)

    again = leakyflow_(*arguments, "--out", "again")
    assert again.exit_code == 0
    assert (az.from_netcdf("again/spiking.nc")["posterior"]["tau"] == posterior["tau"]).all()


def test_infer_lays_its_figure_out_once(spiking_cell, tiny_run, monkeypatch):
    executed = []
    execute = ConstrainedLayoutEngine.execute
    monkeypatch.setattr(
        ConstrainedLayoutEngine, "execute", lambda self, figure: executed.append(1) or execute(self, figure)
    )
    assert leakyflow_("infer", spiking_cell, "--network", tiny_run.folder, "--draws", 200).exit_code == 0
    assert len(executed) == 1


def test_infer_writes_a_page_where_it_is_asked_to(spiking_cell, tiny_run):
    result = leakyflow_("infer", spiking_cell, "--network", tiny_run.folder, "--seed", 3, "--report", "--out", "found")
    assert result.exit_code == 0, said(result)
    assert "spiking.html" in said(result)
    html = Path("found/spiking.html").read_text()
    assert f"leakyflow infer {spiking_cell} --network {tiny_run.folder} --draws 1000 --seed 3 --report" in html
    assert "Is it like the simulations?" in html


def test_report_writes_the_page_of_a_run(tiny_run, tmp_path):
    diagnose(tiny_run.folder, tmp_path / "checks")
    result = leakyflow_("report", tiny_run.folder, "--diagnostics", "checks", "--out", "pages")
    assert result.exit_code == 0, said(result)
    assert sorted(path.name for path in Path("pages").iterdir()) == ["report.html", "report.pdf"]


def test_report_without_diagnostics_says_what_to_run(tiny_run):
    result = leakyflow_("report", tiny_run.folder, "--diagnostics", "nowhere", "--out", "pages")
    assert is_one_screen(result)
    assert "leakyflow diagnose" in said(result)
    assert not Path("pages").exists()


def test_infer_takes_sweeps_of_a_real_file(real_recordings, tiny_run):
    file = real_recordings / "steps_171116sh_0018.abf"
    window = ("--sweep", 2, "--sweep", 3, "--start", 1000, "--stop", 1400)
    result = leakyflow_("infer", file, *window, "--network", tiny_run.folder, "--out", "found")
    assert result.exit_code == 0, said(result)
    assert {path.stem[-6:] for path in Path("found").iterdir()} == {"sweep2", "sweep3"}
    assert "sweep 2, 1000 to 1400 ms" in said(result)


def test_infer_says_first_whether_the_recording_is_typical(spiking_cell, tmp_path, tiny_run):
    typical = leakyflow_("infer", spiking_cell, "--network", tiny_run.folder)
    assert said(typical).index("Typical (p = 0.") < said(typical).index("mean SD")
    table = rows()
    table[:, 1] += 2.0 * np.sin(2e-3 * np.pi * 50.0 * table[:, 0])
    result = leakyflow_("infer", write_csv(tmp_path / "hum.csv", table), "--network", tiny_run.folder)
    assert said(result).index("typical (p = 0.0") < said(result).index("mean SD")
    assert "Mistrust what follows" in said(result)


def test_infer_warns_where_the_model_does_something_else(tmp_path, tiny_run):
    table = rows()
    table[:, 1] += 10.0 * np.sign(np.sin(2 * np.pi * table[:, 0] / 100.0))
    file = write_csv(tmp_path / "odd.csv", table)
    result = leakyflow_("infer", file, "--network", tiny_run.folder)
    assert result.exit_code == 0, said(result)
    assert "does not reproduce this recording" in said(result)


def broken_files(folder: Path) -> dict[str, tuple[Path, tuple[object, ...], str]]:
    """Name of each mistake: a file, options, and words that the error must hold."""
    good = rows()
    nan = good.copy()
    nan[700, 1] = np.nan
    whole = write_csv(folder / "whole.csv", good)
    saved = save_recording(
        simulate(NEURON, square(amplitude=50.0, onset=50.0, duration=50.0, t_max=200.0, dt=0.2), seed=1),
        folder / "saved.npz",
    )
    (folder / "cut.npz").write_bytes(saved.read_bytes()[:2000])
    (folder / "picture.abf").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    return {
        "missing": (folder / "nowhere.abf", (), "nowhere.abf"),
        "a folder": (folder, (), "folder"),
        "truncated": (folder / "cut.npz", (), "truncated"),
        "another kind": (folder / "picture.abf", (), "picture.abf"),
        "not finite": (write_csv(folder / "nan.csv", nan), (), "NaN"),
        "sweep out of range": (whole, ("--sweep", 7), "`--sweep` must be"),
        "no current": (write_csv(folder / "V.csv", good[:, :2], "t_ms,V_mV"), (), "current"),
        "short": (whole, ("--stop", 50), "--start and --stop"),
        "long": (write_csv(folder / "long.csv", rows(duration=700.0)), (), "--start and --stop"),
        "off the end": (whole, ("--start", 300, "--stop", 900), "`--stop`"),
        "volts as mV": (write_csv(folder / "v.csv", rows(V_scale=1e-3)), (), "volts labelled mV"),
        "microvolts as mV": (write_csv(folder / "uv.csv", rows(V_scale=1e3)), (), "unit"),
        "nA as pA": (write_csv(folder / "na.csv", rows(I_scale=1e-3)), (), "nA labelled pA"),
        "pA as nA": (write_csv(folder / "pa.csv", rows(I_scale=1e3)), (), "pA labelled nA"),
    }


MISTAKES = (
    "missing",
    "a folder",
    "truncated",
    "another kind",
    "not finite",
    "sweep out of range",
    "no current",
    "short",
    "long",
    "off the end",
    "volts as mV",
    "microvolts as mV",
    "nA as pA",
    "pA as nA",
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_input_ends_on_one_screen_and_writes_nothing(mistake, tmp_path, tiny_run):
    file, options, words = broken_files(tmp_path)[mistake]
    result = leakyflow_("infer", file, *options, "--network", tiny_run.folder, "--out", "found/here")
    assert is_one_screen(result), result.stdout + result.stderr
    # A long path is broken across lines.
    assert words.replace(" ", "") in said(result).replace(" ", "")
    assert not Path("found").exists()


def test_every_mistake_is_tried(tmp_path):
    assert tuple(broken_files(tmp_path)) == MISTAKES


def test_infer_needs_no_network_of_ones_own(spiking_cell):
    result = leakyflow_("infer", spiking_cell, "--draws", 200)
    assert result.exit_code == 0, said(result)
    assert "threshold_noise" in said(result)  # which only `recording` infers
    assert "like the predicted: " in said(result)


def test_an_unknown_network_is_answered_with_those_that_ship(cell):
    result = leakyflow_("infer", cell, "--network", "recordings")
    assert is_one_screen(result)
    assert "recording, standard" in said(result)


def test_small_p_values_are_all_named_and_of_others_the_least():
    latency, end = "latency of the first spike (p = 0.04)", "mean subthreshold voltage of the last tenth (p = 0.011)"
    p_values = {"spike_count": 1.0, "latency": 0.04, "V_mean": 0.3, "V_end": 0.011}
    assert features_verdict(p_values) == f"[yellow]Unlike the predicted: {end}, {latency}.[/yellow]"
    fine = {"spike_count": 1.0, "V_mean": 0.3}
    assert features_verdict(fine) == "Least like the predicted: mean subthreshold voltage (p = 0.3)."


def test_what_is_compiled_is_kept_for_this_machine_unless_told_otherwise(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("JAX_COMPILATION", "JAX_PERSISTENT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "7")
    keep_compiled()
    assert Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).parent.name == "leakyflow"
    assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "7"
    for name in [name for name in os.environ if name.startswith(("JAX_COMPILATION", "JAX_PERSISTENT"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("network", "words"), [("nowhere", "No network `nowhere`"), (".", "no trained network")])
def test_what_is_no_network_is_refused(cell, network, words):
    result = leakyflow_("infer", cell, "--network", network)
    assert is_one_screen(result)
    assert words in said(result)


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("fails", ["figure", "draws"])
def test_infer_on_a_full_disk_leaves_nothing_behind(cell, tiny_run, fails, existing, monkeypatch):
    if existing:
        Path("found").mkdir()
        Path("found/cell.png").write_text("old")
    if fails == "draws":
        monkeypatch.setattr("leakyflow.diagnostics.plots.save_figure", lambda figure, path: path.touch())
    with little_room(10_000):
        result = leakyflow_("infer", cell, "--network", tiny_run.folder, "--out", "found")
    assert is_one_screen(result), result.stdout + result.stderr
    assert "Free some space" in said(result)
    if existing:
        assert [path.name for path in Path("found").iterdir()] == ["cell.png"]
        assert Path("found/cell.png").read_text() == "old"
    else:
        assert not Path("found").exists()


def test_infer_interrupted_leaves_nothing_behind(cell, tiny_run, monkeypatch):
    monkeypatch.setattr("leakyflow.diagnostics.plots.save_figure", stop)
    result = leakyflow_("infer", cell, "--network", tiny_run.folder, "--out", "found")
    assert result.exit_code == 130
    assert not Path("found").exists()


# --- diagnose


@pytest.fixture
def quick_suite(monkeypatch):
    """Without what takes minutes: a network as poor as the tiny one leaves much to correct."""
    monkeypatch.setattr("leakyflow.diagnostics.suite.Suite", partial(Suite, only=("convergence", "raw")))


def test_diagnose_ends_with_verdicts_and_says_by_its_status_if_one_failed(tiny_run, quick_suite, monkeypatch):
    for part in ("convergence", "calibration", "recovery"):
        given = [Check("something", "1.0", "< 2.0", part != "recovery"), Check("another", "3.0", "", None)]
        monkeypatch.setattr(f"leakyflow.diagnostics.verdicts.{part}_checks", lambda *_, given=given: given)
    diagnose = ("diagnose", tiny_run.folder, "--n", 100, "--out", "checks")
    result = leakyflow_(*diagnose)
    assert result.exit_code == 1, said(result)
    for words in ("something 1.0 < 2.0 pass", "something 1.0 < 2.0 FAIL", "another 3.0 limit", "Written to checks"):
        assert words in said(result)
    for name in ("convergence.png", "recovery_raw.svg", "calibration_raw.csv", "checks.json"):
        assert Path("checks", name).is_file()
    # Nothing is done twice: what the file says is said again.
    kept = Path("checks/checks.json")
    kept.write_text(kept.read_text().replace("false", "true"))
    assert leakyflow_(*diagnose).exit_code == 0


def test_diagnose_interrupted_says_how_to_go_on(tiny_run, quick_suite, monkeypatch):
    monkeypatch.setattr("leakyflow.diagnostics.suite.diagnose", stop)
    result = leakyflow_("diagnose", tiny_run.folder, "--n", 100, "--out", "checks")
    assert result.exit_code == 130
    assert f"leakyflow diagnose {tiny_run.folder} --n 100 --seed 0 --out checks" in result.stderr.replace("\n", "")
    assert Path("checks/convergence.csv").is_file()


@pytest.mark.parametrize(("run", "words"), [("nowhere", "No network `nowhere`"), (".", "no trained network")])
def test_diagnose_refuses_what_is_no_network(run, words):
    result = leakyflow_("diagnose", run)
    assert is_one_screen(result)
    assert words in said(result)


# --- errors


def test_a_mistake_of_a_library_says_where_to_look(cell, monkeypatch):
    monkeypatch.setattr("leakyflow.recordings.read.list_sweeps", lambda *a, **k: np.genfromtxt(["1", "1 2"]))
    result = leakyflow_("sweeps", cell)
    assert "LEAKYFLOW_TRACEBACK=1" in said(result)


def test_traceback_is_shown_where_asked_for(monkeypatch):
    monkeypatch.setenv("LEAKYFLOW_TRACEBACK", "1")
    result = leakyflow_("sweeps", "nowhere.abf")
    assert isinstance(result.exception, FileNotFoundError)


def test_a_bug_is_not_hidden(cell, monkeypatch):
    monkeypatch.setattr("leakyflow.recordings.read.list_sweeps", lambda *a, **k: None)
    assert isinstance(leakyflow_("sweeps", cell).exception, TypeError)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Pass sweep=; list_sweeps describes each.", "Pass --sweep; `leakyflow sweeps` describes each."),
        ("got start=5 ms, stop=9 ms.", "got --start 5 ms, --stop 9 ms."),
        ("`t_ref` must be positive", "`--t-ref` must be positive"),
        ("with start= and stop=.", "with --start and --stop."),
        ("restart=3 and unstop=", "restart=3 and unstop="),
    ],
)
def test_errors_name_options_rather_than_arguments(message, expected):
    assert cli.with_options(message) == expected


# --- run


def test_run_diagnoses_and_infers_a_held_out_recording(tiny_run, tiny_config, monkeypatch, tmp_path):
    original = leakyflow.training.config.load_config
    monkeypatch.setattr(
        "leakyflow.training.config.load_config",
        lambda source: tiny_config if source == "quick" else original(source),
    )
    monkeypatch.setattr("leakyflow.diagnostics.suite.Suite", partial(Suite, n=150))
    shutil.copytree(tiny_run.folder, tmp_path / "first")
    result = leakyflow_("run", "--out", "first")
    assert result.exit_code == 0, said(result)
    files = {path.name for path in (tmp_path / "first").iterdir()}
    files |= {path.name for path in (tmp_path / "first/diagnostics").iterdir()}
    assert {"recovery_raw.csv", "recovery_raw.png", "ranks_raw.png", "convergence.png", "held_out.nc"} <= files
    for words in (
        "prior SD RMSE contraction",
        "check found bound verdict",
        "true mean SD 5 % 95 % unit",
        "Written to first",
    ):
        assert words in said(result)
    other = leakyflow_("run", "--out", "first", "--seed", 2)
    assert is_one_screen(other)
    assert "other settings" in said(other)


def test_training_shares_batches_among_a_few_cores_unless_told_otherwise(monkeypatch):
    for cores, given, expected in ((3, None, "3"), (64, None, str(cli.MOST_DEVICES)), (3, "1", "1")):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)), raising=False)
        monkeypatch.setenv("JAX_NUM_CPU_DEVICES", given or "")
        if given is None:
            monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
        cli.share_batches()
        assert os.environ["JAX_NUM_CPU_DEVICES"] == expected


@pytest.mark.slow
def test_run_learns_and_says_nothing_else(tmp_path):
    code = f"import sys; sys.argv = ['leakyflow', 'run', '--out', {str(tmp_path / 'quick')!r}]\n"
    result = run_python(code + "from leakyflow.cli import main; main()", COLUMNS="80")
    assert result.stderr == ""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout)
    table = pd.read_csv(tmp_path / "quick/diagnostics/recovery_raw.csv")
    assert (table.rmse < 0.7 * table.prior_sd).all()
    assert (table.contraction > 0.5).all()
