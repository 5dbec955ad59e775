"""What a file leaves open is said on the command line."""

import numpy as np
import pytest
from typer.testing import CliRunner

from leakyflow.cli import app
from tests.recordings.synthetic import sweep, write_ibw

V, I = sweep(0.1)
T = np.arange(len(V)) * 0.1


def table(path, *columns, header=""):
    np.savetxt(path, np.column_stack(columns), delimiter=",", header=header, comments="", fmt="%.9g")
    return path


def run(*words):
    result = CliRunner(env={"COLUMNS": "400"}).invoke(app, ["sweeps", *map(str, words)])
    return result.exit_code, result.output


FILES = {
    "columns": (lambda f: table(f / "a.txt", T, V, I), "--columns", "t_ms,V_mV,I_pA"),
    "dt": (lambda f: table(f / "a.csv", np.round(T), V, I, header="t_ms,V_mV,I_pA"), "--dt", "0.1"),
    "step": (lambda f: table(f / "a.csv", T, V, header="t_ms,V_mV"), "--step", "130,100,500"),
    "units": (lambda f: table(f / "a.csv", T, V, I, header="time,voltage,current"), "--units", "mV,pA"),
}


@pytest.mark.parametrize("name", FILES)
def test_an_error_names_the_option_with_which_the_file_is_read(name, tmp_path):
    write, option, value = FILES[name]
    path = write(tmp_path)
    status, output = run(path)
    assert status == 2
    assert option in output
    status, output = run(path, option, value)
    assert (status, "0 to 130" in output) == (0, True)


def test_waves_without_units_and_interval_are_read_by_both_options(tmp_path):
    for name, x in (("a_ch0.ibw", V), ("a_ch1.ibw", I)):
        write_ibw(tmp_path / name, x, 100.0, "", x_unit="")
    status, output = run(tmp_path / "a_ch0.ibw", "--units", "mV,pA", "--dt", "0.1")
    assert (status, "0 to 130" in output) == (0, True)


def test_a_step_may_be_negative(tmp_path):
    path = table(tmp_path / "a.csv", T, -70 - 0.1 * (T > 100), header="t_ms,V_mV")
    assert "-50 to 0" in run(path, "--step", "-50,100,400")[1]


def test_an_option_that_cannot_be_understood_is_refused(tmp_path):
    status, output = run(table(tmp_path / "a.csv", T, V, header="t_ms,V_mV"), "--step", "a lot")
    assert (status, "amplitude (pA, not 0)" in output) == (2, True)
