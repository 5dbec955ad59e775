"""Infer and sweeps, as a user meets them: tables, files, errors on one screen."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from leakyflow.recordings.files.saved import save_recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON
from tests.cli.terminal import is_one_screen, leakyflow_, rows, said, stop, write_csv
from tests.fresh import run_python
from tests.room import little_room


def test_the_network_of_cells_infers_a_file(tmp_path):
    stimulus = square(amplitude=200.0, onset=50.0, duration=100.0, t_max=200.0, dt=0.5)
    file = save_recording(simulate(NEURON, stimulus, seed=1), tmp_path / "coarse.npz")
    result = leakyflow_("infer", file, "--draws", 200, "--out", "found")  # no network is named
    assert result.exit_code == 0, said(result)
    assert all(name in result.stdout for name in ("ahp_slow", "sag_tau"))
    assert "`cell` knows whole cells" in said(result)
    assert {path.suffix for path in Path("found").iterdir()} == {".png", ".svg", ".nc"}


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
import gc, sys
sys.argv = ["leakyflow", "sweeps", {file!r}]
from leakyflow.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"jax", "keras", "bayesflow", "matplotlib", "scipy.stats", "zarr"}}
print(gc.get_threshold()[0], *sorted(heavy & set(sys.modules)))
"""


def test_sweeps_load_nothing_that_takes_time(real_recordings):
    code = SWEEPS.format(file=str(real_recordings / "steps_171116sh_0018.abf"))
    threshold, *loaded = run_python(code).stdout.splitlines()[-1].split()
    assert loaded == []
    assert int(threshold) > 700  # garbage is looked for more rarely than by default


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
        "Does it predict?",
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
    assert "Is the cell this model exactly?" in html


def test_infer_takes_sweeps_of_a_real_file(real_recordings, tiny_run):
    file = real_recordings / "steps_171116sh_0018.abf"
    window = ("--sweep", 2, "--sweep", 3, "--start", 1000, "--stop", 1400)
    result = leakyflow_("infer", file, *window, "--each", "--network", tiny_run.folder, "--out", "found")
    assert result.exit_code == 0, said(result)
    names = {f"steps_171116sh_0018_sweep{number}_1000-1400ms" for number in (2, 3)}
    assert {path.stem for path in Path("found").iterdir()} == names
    assert "sweep 2, 1000 to 1400 ms" in said(result)


QUESTIONS = ("Are the data sound?", "Are the parameters those", "Does it predict?", "Is the cell this", "On the whole?")


def test_infer_answers_in_the_order_in_which_it_matters(spiking_cell, tmp_path, tiny_run):
    text = said(leakyflow_("infer", spiking_cell, "--network", tiny_run.folder))
    places = [text.index(words) for words in ("mean SD", *QUESTIONS)]
    assert places == sorted(places)
    assert "It could be. Typical (p = 0." in text
    table = rows()
    table[:, 1] += 2.0 * np.sin(2e-3 * np.pi * 50.0 * table[:, 0])
    result = leakyflow_("infer", write_csv(tmp_path / "hum.csv", table), "--network", tiny_run.folder)
    assert "No, by a strict test." in said(result)


def test_infer_warns_where_the_model_does_something_else(tmp_path, tiny_run):
    table = rows()
    table[:, 1] += 10.0 * np.sign(np.sin(2 * np.pi * table[:, 0] / 100.0))
    file = write_csv(tmp_path / "odd.csv", table)
    result = leakyflow_("infer", file, "--network", tiny_run.folder)
    assert result.exit_code == 0, said(result)
    assert "Does it predict? No." in said(result)
    assert "On the whole? Wrong." in said(result)


def test_infer_takes_all_sweeps_of_a_file_as_one_cell(real_recordings, tiny_run):
    file = real_recordings / "steps_171116sh_0018.abf"
    window = ("--start", 100, "--stop", 400, "--sweep", 0, "--sweep", 1, "--sweep", 3, "--sweep", 5)
    result = leakyflow_("infer", file, *window, "--network", tiny_run.folder, "--draws", 200, "--report")
    assert result.exit_code == 0, said(result)
    text = said(result)
    assert "Sweeps used: 0, 1, 5; kept back: 3" in text
    assert "mean SD between 5 % 95 % unit" in text
    assert "Of the sweep kept back from the inference it explains" in text
    assert max(map(len, result.stdout.partition("Written to")[0].splitlines())) <= 80
    stem = "posteriors/steps_171116sh_0018_sweep0-1-3-5_100-400ms"
    html = Path(f"{stem}.html").read_text()
    assert "--sweep 0 --sweep 1 --sweep 3 --sweep 5" in html
    assert Path(f"{stem}.png").stat().st_size > 50_000


@pytest.mark.parametrize(
    ("hold_out", "words"), [("7", "(0, 1), got 7"), ("0,1", "must leave a sweep"), ("x", "got 'x'")]
)
def test_sweeps_that_cannot_be_kept_back_are_named(real_recordings, hold_out, words):
    file = real_recordings / "steps_171116sh_0018.abf"
    result = leakyflow_(
        "infer", file, "--sweep", 0, "--sweep", 1, "--hold-out", hold_out, "--start", 100, "--stop", 400
    )
    assert is_one_screen(result)
    assert words in said(result)
    assert "--hold-out" in said(result)


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
        "sweep out of range": (whole, ("--sweep", 7), "set `sweep` by --sweep"),
        "no current": (write_csv(folder / "V.csv", good[:, :2], "t_ms,V_mV"), (), "current"),
        "short": (whole, ("--stop", 50, "--amortized"), "`start` by --start and `stop` by --stop"),
        "long": (
            write_csv(folder / "long.csv", rows(duration=700.0)),
            ("--amortized",),
            "--start and `stop` by --stop",
        ),
        "off the end": (whole, ("--start", 300, "--stop", 900), "by --stop"),
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


def test_a_sweep_longer_than_the_network_knows_is_inferred_by_its_likelihood(tmp_path, tiny_run):
    longest = tiny_run.posterior.duration[1]
    file = write_csv(tmp_path / "long.csv", rows(duration=longest + 200.0))
    result = leakyflow_("infer", file, "--network", tiny_run.folder, "--draws", 200)
    assert result.exit_code == 0, said(result)
    assert "Found by the exact likelihood, without a network" in said(result)


def test_every_mistake_is_tried(tmp_path):
    assert tuple(broken_files(tmp_path)) == MISTAKES


def test_infer_needs_no_network_of_ones_own(spiking_cell):
    result = leakyflow_("infer", spiking_cell, "--network", "lif", "--draws", 200)
    assert result.exit_code == 0, said(result)
    assert "threshold_noise" in said(result)  # which `standard` does not infer
    assert "Does it predict? " in said(result)


def test_an_unknown_network_is_answered_with_those_that_ship(cell):
    result = leakyflow_("infer", cell, "--network", "recordings")
    assert is_one_screen(result)
    assert "lif, lstm, standard" in said(result)


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
        monkeypatch.setattr("leakyflow.diagnostics.plots.style.save_figure", lambda figure, path: path.touch())
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
    monkeypatch.setattr("leakyflow.diagnostics.plots.style.save_figure", stop)
    result = leakyflow_("infer", cell, "--network", tiny_run.folder, "--out", "found")
    assert result.exit_code == 130
    assert not Path("found").exists()


def test_infer_says_what_the_reader_warns_of(tmp_path, tiny_run):
    table = rows()
    table[:, 2] = np.where(table[:, 0] >= 5.0, 40.0, 0.0)  # V answers late
    file = write_csv(tmp_path / "late.csv", table)
    result = leakyflow_("infer", file, "--network", tiny_run.folder, "--draws", 100)
    text = said(result)
    assert text.index("Are the data sound? With care.") < text.index("V must answer to I at once")


# --- names of files


@pytest.mark.parametrize("name", ["cell[a].csv", "cell [bold] :dog:.csv"])
def test_the_name_of_a_file_is_not_read_as_markup(name, tmp_path, tiny_run):
    file = write_csv(tmp_path / name, rows())
    assert f"{name}: V from" in leakyflow_("sweeps", file).stdout
    result = leakyflow_("infer", file, "--network", tiny_run.folder, "--draws", 100, "--out", "found")
    assert result.exit_code == 0, said(result)
    assert f"\n{name}\n" in result.stdout
    assert f"{file.stem}.png" in result.stdout
    assert (tmp_path / "found" / f"{file.stem}.nc").is_file()


def test_results_of_another_window_stay(cell, tiny_run):
    given = ("infer", cell, "--network", tiny_run.folder, "--draws", 100, "--out", "found")
    for window in ((), ("--stop", 300), ("--start", 100.5)):
        assert leakyflow_(*given, *window).exit_code == 0
    names = {path.name for path in Path("found").glob("*.nc")}
    assert names == {"cell.nc", "cell_0-300ms.nc", "cell_100.5-endms.nc"}


def test_results_of_a_file_of_the_same_name_are_not_replaced(cell, tiny_run, tmp_path):
    given = ("--network", tiny_run.folder, "--draws", 100, "--out", "found")
    assert leakyflow_("infer", cell, *given).exit_code == 0
    kept = Path("found/cell.nc").read_bytes()
    (tmp_path / "another day").mkdir()
    other = write_csv(tmp_path / "another day" / "cell.csv", rows(duration=380.0))
    result = leakyflow_("infer", other, *given)
    assert is_one_screen(result)
    assert "set `folder` by --out" in said(result)
    assert Path("found/cell.nc").read_bytes() == kept
    # The same file again is welcome.
    assert leakyflow_("infer", cell, *given, "--seed", 1).exit_code == 0
    assert Path("found/cell.nc").read_bytes() != kept


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(90), "other"], ids=["empty", "torn", "other"])
def test_a_result_that_cannot_be_read_is_not_replaced_but_named(content, cell, tiny_run):
    import h5py

    Path("found").mkdir()
    if isinstance(content, bytes):
        Path("found/cell.nc").write_bytes(content)
    else:
        h5py.File("found/cell.nc", "w").close()
    result = leakyflow_("infer", cell, "--network", tiny_run.folder, "--out", "found")
    assert is_one_screen(result), said(result)
    assert "cell.nc: what it would replace cannot be read" in said(result)
    assert "not foreseen" not in said(result)
