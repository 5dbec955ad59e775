"""Every figure is drawn, saved, and owned by no one."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.mathtext import MathTextParser

import leakyflow as lf
from leakyflow.diagnostics.calibration import sbc_ranks
from leakyflow.diagnostics.conditions import Conditions
from leakyflow.diagnostics.plots import style
from leakyflow.diagnostics.plots.style import PAGE, label
from leakyflow.diagnostics.power_scaling import power_scaling
from leakyflow.diagnostics.predictive import FEATURES, posterior_predictive
from leakyflow.diagnostics.recovery import measure_recovery
from leakyflow.diagnostics.typicality import Projection
from leakyflow.neuron.parameters import TABLE
from leakyflow.simulator.prior_predictive import prior_predictive
from tests.cases import marked
from tests.diagnostics.exact import PRIOR as EXACT
from tests.diagnostics.exact import conjugate
from tests.diagnostics.test_contraction import contraction
from tests.diagnostics.test_predictive import NEURON, PRIOR, knowing, recordings


def scattered():
    draws = knowing()
    spread = draws.array * np.random.default_rng(1).normal(1.0, 0.01, draws.array.shape)
    return type(draws)(draws.names, spread)


def recording_posterior(recording):
    draws = scattered()
    predictive = posterior_predictive(recording, draws, PRIOR)
    return lf.plot_recording_posterior(recording, predictive, draws, PRIOR, truth=NEURON)


def cell():
    from leakyflow.diagnostics.spread import Spread
    from tests.diagnostics.prediction.test_measured import knowing as sharp
    from tests.diagnostics.prediction.test_measured import measured

    between = Spread(names=PRIOR.inferred, between=np.full(4, 0.2), n_sweeps=np.full(4, 6))
    return lf.plot_cell(measured(sharp()), sharp(), PRIOR, between)


def pairs():
    draws = knowing()
    spread = draws.array * np.random.default_rng(1).normal(1.0, 0.01, draws.array.shape)
    return lf.plot_pairs(type(draws)(draws.names, spread), PRIOR, truth=NEURON)


def recovery():
    case = conjugate(200)
    return lf.plot_recovery(measure_recovery(case.draws, case.truth, EXACT, case.log_q))


def z_scores():
    case = conjugate(200)
    return lf.plot_z_scores(measure_recovery(case.draws, case.truth, EXACT, case.log_q))


def ranks(plot):
    case = conjugate(200)
    return plot(sbc_ranks(case.draws, case.truth))


def p_values():
    found = pd.DataFrame(np.random.default_rng(1).random((50, len(FEATURES))), columns=list(FEATURES))
    return lf.plot_predictive_p_values(found, FEATURES)


def history():
    rows = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]}
    rows |= {"learning_rate": [1e-3, 5e-4, 1e-5], "seconds": [60.0, 30.0, 30.0]}
    return lf.plot_history(pd.DataFrame(rows, index=pd.Index([1, 2, 3], name="epoch")))


def conditions():
    posteriors, names, places = ("amortized", "corrected"), ("tau", "V_th"), ("training", "ramp")
    numbers = {"coverage90": 0.9, "relative_rmse": 0.2}
    parameters = [
        {"condition": c, "posterior": k, "parameter": n} | numbers for c in places for k in posteriors for n in names
    ]
    weights = {"n": 100, "gain": 10.0, "share_failed": 0.1}
    recordings = [{"condition": c, "posterior": k} | weights for c in places for k in posteriors]
    return lf.plot_sensitivity(Conditions(pd.DataFrame(parameters), pd.DataFrame(recordings)))


def prior_sensitivity():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((500, 2))
    names = ("tau", "V_th")
    return lf.plot_prior_sensitivity(power_scaling(values, -(values**2), -(values[:, 0] ** 2), names=names))


def typicality():
    cloud = np.random.default_rng(1).normal(size=(500, 2))
    return lf.plot_typicality(Projection(cloud, cloud[:20] * 2.0, np.linspace(0.0, 1.0, 20), (0.3, 0.2)))


FIGURES = {
    "contraction": lambda config: lf.plot_contraction(contraction(n_exact=4)),
    "contraction of a network alone": lambda config: lf.plot_contraction(contraction(corrected=False)),
    "sensitivity": lambda config: conditions(),
    "prior sensitivity": lambda config: prior_sensitivity(),
    "recording": lambda config: recording_posterior(recordings(1)[0]),
    "silent recording": lambda config: recording_posterior(marked([], [], n_ref=20)),
    "cell": lambda config: cell(),
    "recordings": lambda config: lf.plot_recordings(dict(zip("abc", recordings(3), strict=True))),
    "posteriors": lambda config: lf.plot_posteriors({"one": scattered(), "two": scattered()}, PRIOR, truth=NEURON),
    "pairs": lambda config: pairs(),
    "recovery": lambda config: recovery(),
    "z-scores": lambda config: z_scores(),
    "ranks": lambda config: ranks(lf.plot_ranks),
    "ECDF": lambda config: ranks(lf.plot_ecdf),
    "predictive p-values": lambda config: p_values(),
    "history": lambda config: history(),
    "typicality": lambda config: typicality(),
    "prior predictive": lambda config: lf.plot_prior_predictive(prior_predictive(config, n=50, seed=1)),
}


_drawn: dict[str, Figure] = {}


def drawn(name, config) -> Figure:
    """A figure, drawn once."""
    if name not in _drawn:
        _drawn[name] = FIGURES[name](config)
    return _drawn[name]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_saved(name, tiny_config, tmp_path):
    before = dict(mpl.rcParams)
    figure = drawn(name, tiny_config)
    assert isinstance(figure, Figure)
    for suffix in (".png", ".svg"):
        assert lf.save_figure(figure, tmp_path / f"figure{suffix}").stat().st_size > 5000
    assert dict(mpl.rcParams) == before


# Units, and what is counted or has none.
UNIT = re.compile(r"\((ms|mV|pA|pF|Hz|nats|minutes|\d+ % of the variance)\)(; n = \d+)?$")
PURE = re.compile(
    r"^(spikes|recordings|epoch|rank of the true value|ECDF less uniform|two-sided p-value|posterior z-score|"
    r"contraction of the variance|learning rate at its end|sensitivity to the (prior|likelihood)|share with .* > 0\.7|"
    r"\$.*\$: (SD|coverage of \d+ %|RMSE / prior SD))$"
)


def without_unit(figure: Figure) -> list[str]:
    """Labels of axes that name no quantity with its unit."""
    labels = [text for axes in figure.axes if axes.get_visible() for text in (axes.get_xlabel(), axes.get_ylabel())]
    return [text for text in labels if text and not UNIT.search(text) and not PURE.search(text)]


def unlabelled(figure: Figure) -> list[int]:
    """Panels neither of whose axes has a label, on itself or at the edge that it shares with others."""
    found = []
    for i, axes in enumerate(figure.axes):
        sharing = [*axes.get_shared_x_axes().get_siblings(axes), *axes.get_shared_y_axes().get_siblings(axes)]
        if axes.get_visible() and not any(other.get_xlabel() or other.get_ylabel() for other in (axes, *sharing)):
            found.append(i)
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_says_what_it_shows_in_which_unit(name, tiny_config):
    figure = drawn(name, tiny_config)
    assert without_unit(figure) == []
    # The panels of pairs are labelled at the edges of the figure.
    assert [i for i in unlabelled(figure) if name != "pairs"] == []


def test_a_label_without_its_unit_and_a_panel_without_labels_would_be_seen():
    figure = history()
    figure.axes[0].set_ylabel("loss")
    figure.axes[1].set(xlabel="something", ylabel="V (volts)")
    figure.axes[2].set(xlabel="", ylabel="")
    assert without_unit(figure) == ["loss", "something", "V (volts)"]
    assert unlabelled(figure) == [2]


def test_the_same_figure_gives_the_same_file(tmp_path):
    first, again = (lf.save_figure(history(), tmp_path / f"{i}.svg").read_bytes() for i in (1, 2))
    assert first == again


def places(figure):
    figure.draw_without_rendering()
    return [axes.get_position(original=True).bounds for axes in figure.axes]


def test_a_figure_has_the_same_places_although_the_solver_has_not(monkeypatch):
    execute, shifts = ConstrainedLayoutEngine.execute, iter([0.0, 1e-14] * 2)

    def shifted(self, figure):
        execute(self, figure)
        shift = next(shifts)
        for axes in figure.axes:
            axes.set_position(np.asarray(axes.get_position(original=True).bounds) + shift)
            axes.set_in_layout(True)

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", shifted)
    assert places(history()) == places(history())
    monkeypatch.setattr(style, "Layout", ConstrainedLayoutEngine)
    assert places(history()) != places(history())


def test_a_figure_that_was_drawn_is_laid_out_again_in_another_size():
    figure = history()
    before = places(figure)
    figure.set_size_inches(2.0 * figure.get_size_inches())
    assert places(figure) != before


WIDTHS = {"cell": 11.0}  # which has a page of its own


def test_no_figure_is_wider_than_is_legible_on_a_page(tiny_config):
    for name in FIGURES:
        assert drawn(name, tiny_config).get_figwidth() <= WIDTHS.get(name, 8.6 if "recording" in name else PAGE), name


@pytest.mark.parametrize("name", TABLE)
def test_every_parameter_has_a_symbol_that_can_be_drawn(name):
    assert MathTextParser("path").parse(label(name)).width > 0


def test_each_recording_has_its_spikes_and_current():
    shown = {"spiking": marked([100, 300], [-60.0, -60.0], n_ref=20), "silent": marked([], [], n_ref=20)}
    upper, lower = (row.tolist() for row in np.array(lf.plot_recordings(shown).axes).reshape(2, 2))
    for recording, voltage, current in zip(shown.values(), upper, lower, strict=True):
        assert len(voltage.collections[0].get_segments()) == recording.spikes.sum()
        assert np.array_equal(voltage.lines[0].get_ydata(), recording.V)
        assert np.array_equal(current.lines[0].get_ydata(), recording.I)


def test_each_posterior_is_drawn_in_every_panel():
    figure = lf.plot_posteriors({"one": scattered(), "two": scattered()}, PRIOR, truth=NEURON)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two", "prior", "true"]
    for axes, name in zip(figure.axes, PRIOR.inferred, strict=False):
        assert axes.lines[1].get_xdata()[0] == getattr(NEURON, name)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: lf.plot_recordings({}), "got none"),
        (lambda: lf.plot_posteriors({}, PRIOR), "none at all"),
        (lambda: lf.plot_posteriors({"ten": conjugate(10).draws}, EXACT), "others: ten.*of\\(i\\)"),
        (lambda: lf.plot_posteriors({"other": scattered()}, EXACT), "others: other"),
    ],
)
def test_each_error_says_what_to_pass(call, match):
    with pytest.raises(ValueError, match=match):
        call()
