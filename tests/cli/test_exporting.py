import json

import numpy as np
import pytest

from leakyflow.likelihood.draws import Draws
from tests.cases import DT, NEURON
from tests.cli.terminal import is_one_screen, leakyflow_, said


@pytest.fixture
def draws(tmp_path):
    given = dict(NEURON.without("tau", "membrane_noise", "reset_noise").replace(threshold_noise=1.5))
    path = tmp_path / "cell.nc"
    Draws(("tau",), np.linspace(12.0, 20.0, 50)[:, None], source="lif", given=given, dt=DT).to_arviz().to_netcdf(
        str(path)
    )
    return path


def test_the_posterior_mean_is_written_beside_a_script(draws, tmp_path):
    result = leakyflow_("export", draws, "--to", "brian2")
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "cell.json, cell_brian2.py" in said(result)
    assert json.loads((tmp_path / "cell.json").read_text())["parameters"]["tau"]["values"] == [16.0]


def test_what_is_left_out_is_said(draws, tmp_path):
    options = ("--to", "nest", "--n", 5, "--without", "threshold_noise", "--out", "more/cells.json")
    result = leakyflow_("export", draws, *options)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "Without threshold_noise: left out as asked." in said(result)
    assert json.loads((tmp_path / "more" / "cells.json").read_text())["n"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "nest"), "On the command line, set `without` by --without."),
        (("--to", "other"), "set `target` by --to."),
        (("--to", "brian2", "--n", 51), "set `n` by --n."),
        (("--to", "brian2", "--dt", -1), "set `dt` by --dt."),
    ],
)
def test_what_cannot_be_written_is_one_screen_that_names_the_option(options, message, draws, tmp_path):
    result = leakyflow_("export", draws, *options)
    assert is_one_screen(result)
    assert message in said(result)
    assert [path.name for path in tmp_path.iterdir()] == ["cell.nc"]


def test_draws_that_are_none_are_one_screen(cell):
    result = leakyflow_("export", cell, "--to", "nest")
    assert is_one_screen(result)
    assert "leakyflow infer" in said(result)
