"""What is said of a recording and its posterior: the same words on the command line and on a page.

Three questions, each with a short answer and with what was found. All other text of a verdict is made here, too.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.stats

from leakyflow.diagnostics.cloud import ATYPICAL, VERY_ATYPICAL
from leakyflow.diagnostics.predictive import FEATURES, LEAST_INSIDE, SMALL, PredictiveCheck
from leakyflow.likelihood.importance import LARGEST_K_HAT

if TYPE_CHECKING:
    from leakyflow.diagnostics.typicality import Verdict
    from leakyflow.likelihood.draws import Draws

__all__ = [
    "Answer",
    "about_draws",
    "about_model",
    "about_resistance",
    "about_simulations",
    "beyond",
    "feature",
    "percent",
    "sentence",
    "typicality_note",
]


class Answer(NamedTuple):
    """One question about a posterior, answered."""

    question: str
    short: str  # "Yes." or what else
    text: str  # what was found, in whole sentences
    good: bool  # False where a reader is to be warned

    def __str__(self) -> str:
        return f"{self.question} {self.short} {self.text}"


def typicality_note(p: float, reason: str) -> str:
    """How a recording compares with simulations, and where it is atypical, why.

    Args:
        p: Share of simulations that are at least as unusual.
        reason: What stands out most.

    Example:
        >>> typicality_note(0.998, "The hum is loud.")
        'Typical (p = 1): 100 % of simulations are at least as unusual.'
        >>> typicality_note(0.02, "The hum is loud.")
        'Atypical (p = 0.02; so is 1 simulation in 20). The hum is loud.'
    """
    if p >= ATYPICAL:
        return f"Typical (p = {p:.2g}): {percent(p)} of simulations are at least as unusual."
    word, n = ("Very atypical", 1 / VERY_ATYPICAL) if p < VERY_ATYPICAL else ("Atypical", 1 / ATYPICAL)
    return f"{word} (p = {p:.2g}; so is 1 simulation in {n:.0f}). {reason}"


def about_simulations(verdict: "Verdict") -> Answer:
    """Whether the network can know such a recording.

    Args:
        verdict: From `Typicality.check`.

    Example:
        >>> from leakyflow.diagnostics.typicality import Verdict
        >>> print(about_simulations(Verdict(0.5, True, "Typical (p = 0.5).")))
        Is it like the simulations? Yes. Typical (p = 0.5).
    """
    question = "Is it like the simulations?"
    if verdict.typical:
        return Answer(question, "Yes.", verdict.note, True)
    warning = "The network was trained on no such recording: mistrust what follows."
    return Answer(question, "No.", f"{verdict.note} {warning}", False)


def about_draws(row: Mapping[Any, Any]) -> Answer:
    """How the draws of one recording were made, and whether to believe them.

    Args:
        row: Of `Draws.diagnostics`.

    Example:
        >>> print(about_draws({"method": "importance", "reliable": True, "efficiency": 0.83, "k_hat": 0.32}).short)
        Yes, for this model.
    """
    question = "Are the draws right?"
    if row["reliable"] is None:
        note = f": {row['note']}" if row["note"] else ""
        text = f"They are the network's own, not corrected by the likelihood{note}."
        return Answer(question, "This was not checked.", text, True)
    short = "Yes, for this model." if row["reliable"] else "No: do not believe them."
    return Answer(question, short, _how_drawn(row), bool(row["reliable"]))


def about_resistance(draws: "Draws") -> str:
    """What an electrophysiologist looks for first, and no parameter is.

    Args:
        draws: Of one recording or cell.
    """
    low, middle, high = np.quantile(draws.input_resistance(), (0.05, 0.5, 0.95))
    sag = ", sag included" if "sag" in draws.names else ""
    return f"Input resistance: {middle:.3g} MOhm (5 % to 95 %: {low:.3g} to {high:.3g}), steady{sag}."


def _how_drawn(row: Mapping[Any, Any]) -> str:
    if row["method"] == "exact":
        return _how_exact(row)
    own = (
        f"the network's draws were {percent(row['efficiency'])} efficient, k-hat {row['k_hat']:.2f} "
        f"(weights can be trusted up to {LARGEST_K_HAT:g})"
    )
    if row["method"] == "importance":
        return f"Corrected by the exact likelihood: {own}."
    note = row["note"] or "sequential Monte Carlo went on from the network's draws"
    if row["method"] == "SMC":
        note += f" (R-hat {row['r_hat']:.3f}, acceptance {row['acceptance']:.2f})"
    return f"{sentence(note)} {sentence(own)}"


def _how_exact(row: Mapping[Any, Any]) -> str:
    weighted = row.get("k_hat", math.nan)
    by = "sequential Monte Carlo" if math.isnan(weighted) else "weighted draws around its mode"
    return (
        f"Found by the exact likelihood, without a network: by {by} (R-hat {row['r_hat']:.3f}, {row['ess']:.0f} "
        "effective draws)."
    )


def about_model(check: PredictiveCheck, p_values: Mapping[str, float]) -> Answer:
    """Whether neurons drawn from the posterior do what the recorded one did.

    Args:
        check: From `Predictive.check`.
        p_values: From `Predictive.p_values`.

    Example:
        >>> check = PredictiveCheck(share_inside=0.93, n_spikes=4, n_spikes_low=3, n_spikes_high=6)
        >>> print(about_model(check, {"spike_count": 0.8, "latency": 0.4}))  # doctest: +NORMALIZE_WHITESPACE
        Does the model do what the cell did? Yes. 93 % of V lies in the 90 % band of predictions (at least 70 % is
        expected); 4 spikes, 3 to 6 predicted. Least like the predicted: latency of the first spike (p = 0.4).
    """
    strange = [name for name, p in p_values.items() if p < SMALL]
    short = "No." if not check.reproduced else "Not in all." if strange else "Yes."
    text = (
        f"{percent(check.share_inside)} of V lies in the 90 % band of predictions (at least {percent(LEAST_INSIDE)} is "
        f"expected); {check.n_spikes} spike{'s' if check.n_spikes != 1 else ''}, {check.n_spikes_low} to "
        f"{check.n_spikes_high} predicted. {_strangest(p_values)}"
    )
    return Answer("Does the model do what the cell did?", short, text, short == "Yes.")


def _strangest(p_values: Mapping[str, float]) -> str:
    """The features that are unlike what the posterior predicts, or else the one least like it."""
    ranked = sorted(p_values.items(), key=lambda item: item[1])
    shown = [(name, p) for name, p in ranked if p < SMALL] or ranked[:1]
    named = ", ".join(f"{feature(name)} (p = {p:.2g})" for name, p in shown)
    return f"{'Unlike' if ranked[0][1] < SMALL else 'Least like'} the predicted: {named}."


def feature(name: str) -> str:
    """A predicted feature in words.

    Example:
        >>> feature("latency")
        'latency of the first spike'
    """
    return FEATURES[name].split(" [")[0]


def percent(share: float) -> str:
    """A share of things that were counted: whole numbers from 10 % on, two digits below.

    Example:
        >>> percent(0.998), percent(0.042), percent(0.0005)
        ('100 %', '4.2 %', '0.05 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def beyond(z: float) -> str:
    """The share of simulations that a normal score lies beyond, never more than they resolve.

    Example:
        >>> beyond(-2.0), beyond(9.0)
        ('97.7 % of simulations', '99.9 % of simulations')
    """
    return f"{100 * min(float(scipy.stats.norm.cdf(abs(z))), 0.999):.1f} % of simulations"


def sentence(text: str) -> str:
    """A sentence, from its words.

    Example:
        >>> sentence("the hum is loud")
        'The hum is loud.'
    """
    return f"{text[0].upper()}{text[1:]}."
