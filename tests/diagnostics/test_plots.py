"""Every figure is drawn, saved, and owned by no one."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from leakyflow.diagnostics import plots
from leakyflow.diagnostics.calibration import sbc_ranks
from leakyflow.diagnostics.predictive import posterior_predictive
from leakyflow.diagnostics.recovery import measure_recovery
from leakyflow.simulator.parameters import UNITS
from leakyflow.simulator.prior_predictive import prior_predictive
from tests.cases import marked
from tests.diagnostics.exact import PRIOR as EXACT
from tests.diagnostics.exact import conjugate
from tests.diagnostics.test_predictive import NEURON, PRIOR, knowing, recordings


def recording_posterior(recording):
    draws = knowing()
    spread = draws.array * np.random.default_rng(1).normal(1.0, 0.01, draws.array.shape)
    draws = type(draws)(draws.names, spread)
    predictive = posterior_predictive(recording, draws, PRIOR)
    return plots.plot_recording_posterior(recording, predictive, draws, PRIOR, truth=NEURON)


def recovery():
    case = conjugate(200)
    return plots.plot_recovery(measure_recovery(case.draws, case.truth, EXACT, case.log_q))


def ranks():
    case = conjugate(200)
    return plots.plot_ranks(sbc_ranks(case.draws, case.truth))


def history():
    rows = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]}
    return plots.plot_history(pd.DataFrame(rows, index=pd.Index([1, 2, 3], name="epoch")))


FIGURES = {
    "recording": lambda config: recording_posterior(recordings(1)[0]),
    "silent recording": lambda config: recording_posterior(marked([], [], n_ref=20)),
    "recovery": lambda config: recovery(),
    "ranks": lambda config: ranks(),
    "history": lambda config: history(),
    "prior predictive": lambda config: plots.plot_prior_predictive(prior_predictive(config, n=50, seed=1)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_saved(name, tiny_config, tmp_path):
    before = dict(mpl.rcParams)
    figure = FIGURES[name](tiny_config)
    assert isinstance(figure, Figure)
    for suffix in (".png", ".svg"):
        assert plots.save_figure(figure, tmp_path / f"figure{suffix}").stat().st_size > 5000
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_says_what_it_shows_in_which_unit(name, tiny_config):
    for axes in FIGURES[name](tiny_config).axes:
        if axes.get_visible():
            assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title(loc="left")


def test_the_same_figure_gives_the_same_file(tmp_path):
    first, again = (plots.save_figure(history(), tmp_path / f"{i}.svg").read_bytes() for i in (1, 2))
    assert first == again


def test_every_parameter_has_a_symbol():
    assert plots.SYMBOLS.keys() == UNITS.keys()
