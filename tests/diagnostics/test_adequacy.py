from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leakyflow.diagnostics.adequacy import Adequacy
from leakyflow.diagnostics.conflict import Conflict, prior_conflicts
from leakyflow.diagnostics.hold_out import kept_back, parted
from leakyflow.diagnostics.prediction.lacks import lacks_of
from leakyflow.diagnostics.prediction.measured import Prediction
from leakyflow.diagnostics.spread import Spread
from leakyflow.diagnostics.typicality import Verdict
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.finding import Finding
from tests.cases import PRIORS, recorded

PRIOR = PRIORS["recording"]
N = 1000
SPIKES = ((200, 400), (300, 500, 700), (250, 450), (150,))
ODD = Verdict(
    0.001, False, "Very atypical (p = 0.001; so is 1 simulation in 200). The hum is loud.", "The hum is loud."
)
LIKE = Verdict(0.5, True, "Typical (p = 0.5): 50 % of simulations are at least as unusual.")


def voltage(k: int) -> np.ndarray:
    """A step of 10 mV and its charging, by which the sweeps differ in strength."""
    t = np.arange(N) * 0.2
    return -70.0 + (10.0 + k) * (1.0 - np.exp(-np.maximum(t - 20.0, 0.0) / 15.0))


def error_of(k: int, sd: float = 0.3) -> np.ndarray:
    return sd * np.random.default_rng(k).standard_normal(N)


def predicted(error=error_of, extra: int = 0, unseen=(1,)) -> Prediction:
    """Sweeps that are predicted but for an error, with so many spikes too many."""
    cell = Cell([recorded(voltage(k) + error(k), 100.0, spikes=SPIKES[k], n_ref=10) for k in range(4)], name="cell")
    train = [np.append(sweep.t[sweep.spikes], 190.0 + np.arange(extra)) for sweep in cell]
    return Prediction(
        cell=cell,
        unseen=np.isin(np.arange(4), unseen),
        V=tuple(voltage(k).astype(np.float32) for k in range(4)),
        trains=tuple((own, own, own) for own in train),
    )


def draws(**changed: float) -> Draws:
    centre = {name: float(x) for name, x in zip(PRIOR.inferred, PRIOR.natural(np.zeros(6)), strict=True)} | changed
    array = np.array([[centre[name] for name in PRIOR.inferred]] * 10)
    return Draws(PRIOR.inferred, array, given={"V_reset": -55.0, "t_ref": 3.0, "reset_noise": 5.0})


def adequacy(prediction: Prediction, typical: Verdict | None = LIKE, **changes) -> Adequacy:
    empty = Spread(names=PRIOR.inferred, between=np.zeros(6), n_sweeps=np.zeros(6, int))
    given = {"findings": {}, "conflicts": (), "untold": "" if typical else "its sweeps are too long", **changes}
    lacks = lacks_of(prediction)
    return Adequacy(
        used=prediction.cell, draws=draws(), spread=empty, prediction=prediction, lacks=lacks, typical=typical, **given
    )


def slow(k: int) -> np.ndarray:
    """What a model lacks that knows no sag: early too little, late too much."""
    return 0.5 * (voltage(0) + 70.0) * (np.exp(-np.arange(N) * 0.2 / 60.0) - 0.2) * (1.0 + 0.02 * k)


@pytest.mark.parametrize(
    ("prediction", "typical", "kind", "words"),
    [
        (predicted(), LIKE, "exact", "The model, as far as can be told."),
        (predicted(), ODD, "adequate", "Atypical but adequate."),
        (predicted(), None, "adequate", "Adequate."),
        (predicted(extra=3), ODD, "wrong", "it fires otherwise"),
        (predicted(lambda k: 8.0 * np.sin(np.arange(N) / 30.0)), ODD, "wrong", "its voltage is another"),
        (predicted(lambda k: error_of(k, 8.0)), LIKE, "vague", "little to predict"),
    ],
    ids=["exact", "atypical", "not asked", "spikes", "voltage", "noise"],
)
def test_what_is_adequate_is_told_from_what_is_wrong(prediction, typical, kind, words):
    found = adequacy(prediction, typical)
    assert found.kind == kind
    assert words in str(found.answers()[-1])
    assert found.answers()[2].good == (kind in ("exact", "adequate"))


def test_only_a_plain_neuron_that_is_wrong_is_answered_with_the_richer_network():
    plain = adequacy(predicted(extra=3), ODD)
    draw = plain.draws
    names = (*draw.names, "ahp_slow")
    richer = replace(plain, draws=replace(draw, names=names, array=np.pad(draw.array, ((0, 0), (0, 1)))))
    assert "The network `cell` knows" in str(plain.answers()[-1])
    assert "The network" not in str(richer.answers()[-1])
    assert "The network" not in str(adequacy(predicted(), ODD).answers()[-1])


def test_a_model_whose_parameters_are_not_those_of_neurons_is_not_the_cell():
    found = adequacy(predicted(), LIKE, conflicts=(Conflict("tau", 737.0, 6.04),))
    assert found.kind == "adequate"
    assert str(found.answers()[-1]).startswith(
        "On the whole? Adequate. Use it for what it predicts, but not for its par"
    )
    assert adequacy(predicted(), LIKE).kind == "exact"


def checked(reliable: bool | None) -> Draws:
    row = {"method": "search", "reliable": reliable, "k_hat": 1.2, "efficiency": 0.01, "note": "it did not settle"}
    return replace(draws(), diagnostics=pd.DataFrame([row]))


@pytest.mark.parametrize(
    ("reliable", "first", "kind"),
    [(True, "Yes, for this model.", "exact"), (False, "No: do", "adequate"), (None, "This was not checked.", "exact")],
)
def test_a_verdict_begins_with_whether_the_draws_are_right_and_ends_by_it(reliable, first, kind):
    found = replace(adequacy(predicted()), draws=checked(reliable))
    answers = found.answers()
    assert str(answers[0]).startswith(f"Are the draws right? {first}")
    assert (answers[0].good, found.reliable, found.kind) == (reliable is not False, reliable, kind)
    assert ("not for its parameters" in answers[-1].text) == (reliable is False)
    assert answers[1:-1] == adequacy(predicted()).answers()[:-1]


def test_what_is_typical_by_a_noise_that_no_neuron_has_is_wrong():
    prediction = predicted(extra=3)
    assert adequacy(prediction, LIKE).kind == "vague"
    found = adequacy(prediction, LIKE, conflicts=(Conflict("current_noise_tau", 60.0, 4.1),))
    assert found.kind == "wrong"
    assert "it fires otherwise" in str(found.answers()[-1])


@pytest.mark.parametrize("n_free", [1, 2, 60])
def test_a_sweep_with_next_to_nothing_between_its_spikes_is_not_judged_by_it(n_free):
    V = voltage(0) + np.sin(np.arange(N))
    cell = Cell([recorded(V, 100.0, spikes=(n_free,), n_ref=N)])
    assert cell[0].free.sum() == n_free
    spikes = cell[0].t[cell[0].spikes]
    prediction = Prediction(
        cell=cell, unseen=np.array([False]), V=(voltage(0).astype(np.float32),), trains=((spikes,) * 3,)
    )
    found = adequacy(prediction, ODD)
    assert (found.answers()[2].short == "Not told:") == (n_free == 1)
    assert found.kind == "wrong"
    assert "nan" not in str(found)


def test_questions_come_in_the_order_in_which_they_matter():
    text = str(adequacy(predicted(), ODD))
    questions = (
        "data sound",
        "parameters those of neurons",
        "predict what it was not shown",
        "exactly",
        "On the whole",
    )
    places = [text.index(words) for words in questions]
    assert places == sorted(places)


def test_data_are_not_sound_where_the_reader_warns():
    found = adequacy(predicted(), findings={"V drifts. Cut it.": 2}).answers()[0]
    assert not found.good
    assert "In 2 of 4 sweeps: V drifts. Cut it." in found.text
    assert adequacy(predicted()).answers()[0].good


def test_a_far_parameter_spoils_what_is_said_on_the_whole():
    conflicts = Conflict("tau", 737.0, 6.04), Conflict("sag", 4.5, 3.1)
    found = adequacy(predicted(), ODD, conflicts=conflicts).answers()
    assert "tau 737 ms lies 6.0 prior SDs out; sag 4.5 lies 3.1 prior SDs out" in found[1].text
    assert not found[1].good
    assert "not for its parameters" in found[-1].text


def test_effects_have_a_size_beside_the_p_value():
    text = adequacy(predicted(slow), ODD).answers()[3].text
    assert "p = 0.001" in text
    assert "V sags back by" in text
    assert " mV" in text


def test_what_was_not_kept_back_is_not_called_unseen():
    assert "each predicted by what the others say" in adequacy(predicted(unseen=())).answers()[2].text


def test_far_parameters_are_found_inferred_or_read_off():
    far = draws(tau=20.0 * np.exp(0.6 * 5.0))
    far = replace(far, given={"V_reset": -15.0, "t_ref": 9.0, "reset_noise": 5.0})
    found = {c.name: c.score for c in prior_conflicts(far, PRIOR)}
    assert found.pop("t_ref") == np.inf  # outside of a uniform prior
    assert found == pytest.approx({"tau": 5.0, "V_reset": 5.0})
    assert prior_conflicts(draws(), PRIOR) == ()


def after_spikes(k: int, size: float = 3.0) -> np.ndarray:
    out = np.zeros(N)
    for spike in SPIKES[k]:
        out[spike:] += size * np.exp(-(np.arange(N - spike)) * 0.2 / 30.0)
    return out


@pytest.mark.parametrize(
    ("error", "name", "sign"),
    [
        (lambda k: after_spikes(k, -3.0), "after_spikes", -1),
        (lambda k: after_spikes(k, 3.0), "after_spikes", 1),
        (slow, "sag", -1),
        (lambda k: -0.02 * (voltage(k) + 70.0) ** 2, "rectification", -1),
    ],
)
def test_each_lack_is_recognised_by_its_pattern(error, name, sign):
    first = lacks_of(predicted(error))[0]
    assert (first.name, np.sign(first.size)) == (name, sign)
    assert first.share > 0.5


def test_the_size_of_a_lack_is_that_of_its_pattern():
    assert lacks_of(predicted(after_spikes))[0].size == pytest.approx(3.0, rel=0.35)  # 95 % of it is below the largest


def test_noise_lacks_nothing():
    assert lacks_of(predicted()) == ()


@pytest.mark.parametrize("n", range(4, 40))
def test_sweeps_kept_back_are_spread_and_never_the_ends(n):
    places = kept_back(n)
    assert 1 <= len(places) <= n / 4
    assert min(places) > 0
    assert max(places) < n - 1
    assert len(places) < 2 or np.ptp(np.diff(places)) <= 1


@pytest.mark.parametrize(("hold_out", "match"), [([4], "from 0 to 3, got 4"), ([0, 1, 2, 3], "must leave a sweep")])
def test_each_error_says_what_to_do(hold_out, match):
    with pytest.raises(LeakyflowError, match=match):
        parted(predicted().cell, hold_out)


def test_findings_of_sweeps_are_told_once(tiny_run):
    from leakyflow.diagnostics.adequacy import adequacy_of
    from tests.cases import stimulated

    finding = Finding("warn", "V drifts by 3 mV.", "Choose another window.")
    sweeps = [replace(stimulated(I, seed=k), findings=(finding,)) for k, I in enumerate((-80.0, 60.0, 190.0))]
    found = adequacy_of(tiny_run.posterior, Cell(sweeps, name="cell"), n_draws=200)
    assert found.findings == {str(finding): 3}
    assert found.prediction.how == "left out in turn"
    assert found.typical is not None
    assert tiny_run.posterior.check(sweeps[2], seed=1).prediction.how == "seen"
