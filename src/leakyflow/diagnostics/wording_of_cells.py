"""The verdict on a cell in words: the same on the command line, in Python and on a page."""

import math
from typing import TYPE_CHECKING

from leakyflow.diagnostics.adequacy import COVERAGE, GOOD_EPS_V, MOST_MISSED, Adequacy
from leakyflow.diagnostics.conflict import FAR, Conflict
from leakyflow.diagnostics.spread import LEAST_SWEEPS
from leakyflow.diagnostics.wording import Answer, about_draws, percent, sentence

if TYPE_CHECKING:
    from leakyflow.diagnostics.prediction.lacks import Lack
    from leakyflow.diagnostics.prediction.measured import Prediction

__all__ = ["answers_of", "lack_in_words"]

# Findings and lacks that are named.
N_NAMED = 3

LACKS = {
    "after_spikes": ("V lies {} higher after spikes than predicted", "V lies {} lower after spikes than predicted"),
    "adding_up": ("V lies {} higher the more spikes there were", "V lies {} lower the more spikes there were"),
    "sag": ("under a step V moves {} further out with time", "V sags back by {} under a step"),
    "rectification": ("far from rest V is {} further out", "far from rest V is {} less far out"),
}
# A parameter of neurons that do more than leak and fire, and what is said where there is none.
RICHER = "ahp_slow"
RICHER_NETWORK = " The network `cell` knows currents after spikes, a threshold that moves, and sag."
WHAT = {
    "kept back": "sweeps kept back from the inference",
    "left out in turn": "sweeps, each predicted by what the others say",
    "seen": "sweep that the inference had seen",
}


def answers_of(a: Adequacy) -> tuple[Answer, ...]:
    """Whether the draws are right, the four questions, and what follows.

    Args:
        a: From `adequacy_of`.

    Example:
        >>> import leakyflow as lf
        >>> from leakyflow.diagnostics.adequacy import adequacy_of
        >>> recording = lf.make_dataset(lf.load_config("standard"), 20, seed=7).recordings()[4]
        >>> for answer in answers_of(adequacy_of(lf.load_posterior("standard"), recording, n_draws=200)):
        ...     print(answer.question, answer.short)
        Are the draws right? Yes, for this model.
        Are the data sound? Yes.
        Are the parameters those of neurons? Yes.
        Does it predict? ...
        Is the cell this model exactly? It could be.
        On the whole? ...
    """
    first = () if a.draws.diagnostics is None else (about_draws(a.draws.diagnostics.iloc[0].to_dict()),)
    return *first, about_data(a), about_parameters(a), about_prediction(a), about_exactness(a), on_the_whole(a)


def about_data(a: Adequacy) -> Answer:
    """What the checks of the data found."""
    n, n_out = len(a.prediction.cell), len(a.left_out)
    read = f"{_counted(n, 'sweep')}, {_counted(int(a.prediction.table.spikes.sum()), 'spike')}"
    left_out = f"; {n_out} left out" if n_out else ""
    if not a.findings:
        return Answer("Are the data sound?", "Yes.", f"Nothing was found against {read}{left_out}.", True)
    ranked = sorted(a.findings.items(), key=lambda item: -item[1])
    named = [text if n == 1 or count == n else f"In {count} of {n} sweeps: {text}" for text, count in ranked]
    more = [f"And {len(named) - N_NAMED} more."] if len(named) > N_NAMED else []
    return Answer("Are the data sound?", "With care.", " ".join([f"{read}{left_out}.", *named[:N_NAMED], *more]), False)


def about_parameters(a: Adequacy) -> Answer:
    """Whether any parameter lies far out in its prior."""
    question = "Are the parameters those of neurons?"
    if not a.conflicts:
        return Answer(question, "Yes.", f"All lie within {FAR:g} prior SDs of what was believed before.", True)
    shown = "; ".join(_conflict(conflict) for conflict in a.conflicts[:N_NAMED])
    rest = f"; and {len(a.conflicts) - N_NAMED} more" if len(a.conflicts) > N_NAMED else ""
    return Answer(question, "No.", f"{shown}{rest}. Do not take them for the cell's.", False)


def _conflict(c: Conflict) -> str:
    value = f"{c.name} {c.value:.3g}" + (f" {c.unit}" if c.unit != "1" else "")
    if math.isinf(c.score):
        return f"{value} lies outside of what the prior allows"
    return f"{value} lies {abs(c.score):.1f} prior SDs out"


def about_prediction(a: Adequacy) -> Answer:
    """Whether it predicts what it was not shown."""
    p = a.prediction
    question = "Does it predict?" if p.how == "seen" else "Does it predict what it was not shown?"
    if _untold(p):
        return Answer(question, "Not told:", "there is next to no voltage between spikes to predict.", False)
    n = len(p.scored)
    what = f"Of {n} {WHAT[p.how]}" if n > 1 else f"Of the {WHAT[p.how].replace('sweeps', 'sweep')}"
    text = (
        f"{what} it explains {percent(max(p.eps_V, 0.0))} of V (a good model {percent(GOOD_EPS_V)}) and {_spikes(p)}. "
        f"The 90 % band of +-{p.band.half_width:.2g} mV holds {percent(p.coverage)} of V in all sweeps "
        f"({percent(COVERAGE[0])} to {percent(COVERAGE[1])} is right)."
    )
    return Answer(question, "Yes." if a.predicts else "No.", text, a.predicts)


def _untold(p: "Prediction") -> bool:
    """Whether there is too little voltage between spikes to judge its prediction."""
    return math.isnan(p.coverage) or math.isnan(p.eps_V)


def _spikes(p: "Prediction") -> str:
    own = p.table.iloc[p.scored]
    if not own.spikes.sum() and not own.spikes_predicted.sum():
        return "fires as little as the cell, not at all"
    first = "" if math.isnan(p.latency_error) else f", first ones {p.latency_error:.0f} ms off"
    return (
        f"predicts {round(own.spikes_mean.sum(), 1):g} spikes of {own.spikes.sum()} ({percent(p.spikes_missed)} missed "
        f"or too many, at most {percent(MOST_MISSED)}{first})"
    )


def about_exactness(a: Adequacy) -> Answer:
    """Whether it could be a simulation, with what it lacks in mV."""
    question = "Is the cell this model exactly?"
    lacks = "; ".join(lack_in_words(lack) for lack in a.lacks[:N_NAMED])
    effects = f" What the model lacks: {lacks}." if lacks else ""
    if a.typical is None:
        return Answer(question, "Not asked:", f"{a.untold}.{effects}", True)
    short = "It could be." if a.typical.typical else "No, by a strict test."
    return Answer(question, short, f"{a.typical.note}{effects if not a.typical.typical else ''}", a.typical.typical)


def lack_in_words(lack: "Lack") -> str:
    """A pattern in the errors, with its size and what it explains of them.

    Example:
        >>> from leakyflow.diagnostics.prediction.lacks import Lack
        >>> lack_in_words(Lack("after_spikes", -2.13, 0.31))
        'V lies 2.1 mV lower after spikes than predicted (31 % of the error)'
    """
    above, below = LACKS[lack.name]
    return (
        f"{(above if lack.size > 0 else below).format(f'{abs(lack.size):.2g} mV')} ({percent(lack.share)} of the error)"
    )


def on_the_whole(a: Adequacy) -> Answer:
    """What to do with it."""
    question = "On the whole?"
    trusted = not a.conflicts and a.reliable is not False
    careful = "" if trusted else ", but not for its parameters"
    match a.kind:
        case "exact":
            return Answer(question, "The model, as far as can be told.", "Its draws say what the cell is.", True)
        case "adequate":
            several = "are those between sweeps" if len(a.used) >= LEAST_SWEEPS else "in other sweeps are not known"
            text = f"Use it for what it predicts{careful}; widths of parameters {several}."
            told = "Atypical but adequate." if a.typical is not None and not a.typical.typical else "Adequate."
            return Answer(question, told, text, trusted)
        case "vague":
            return Answer(question, "Like the model, but little to predict.", "Give it stronger currents.", False)
        case _:
            wrong = sentence(f"this model does not do what the cell does: {_why(a)}")
            return Answer(question, "Wrong.", wrong + ("" if RICHER in a.draws.names else RICHER_NETWORK), False)


def _why(a: Adequacy) -> str:
    p = a.prediction
    if _untold(p):
        return "nobody can tell what its voltage between spikes is"
    failed = {
        "its voltage is another": not p.eps_V >= GOOD_EPS_V,
        "it fires otherwise": p.spikes_missed > MOST_MISSED,
        "its errors differ between sweeps": not COVERAGE[0] <= p.coverage <= COVERAGE[1],
    }
    return " and ".join(name for name, is_so in failed.items() if is_so)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"
