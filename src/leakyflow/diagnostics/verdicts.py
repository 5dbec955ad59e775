"""Verdicts: what was checked, what was found, the bound that it is held to."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float64

from leakyflow.diagnostics.calibration import Ranks
from leakyflow.diagnostics.cloud import ATYPICAL
from leakyflow.diagnostics.conditions import Conditions
from leakyflow.diagnostics.contraction import RATIO_BAND, Contraction
from leakyflow.diagnostics.convergence import AT_REST, Convergence
from leakyflow.diagnostics.predictive import SMALL
from leakyflow.diagnostics.recovery import INTERVAL, LEARNED, PROBABILITIES, Recovery, coverage_band
from leakyflow.likelihood.importance import LARGEST_K_HAT

__all__ = [
    "Check",
    "calibration_checks",
    "contraction_checks",
    "convergence_checks",
    "correction_checks",
    "predictive_checks",
    "recovery_checks",
    "sensitivity_checks",
    "typicality_checks",
]

# Probability with which an exact posterior fails a check that is a test, all its comparisons together.
FALSE_ALARM = 0.01
# Nats that validation may lie above training: beyond it, a network has learned its simulations by heart.
LARGEST_GAP = 0.2
# Share of recordings for which importance weights may fail.
MOST_FAILED = 0.05


class Check(NamedTuple):
    """One line of the table of verdicts."""

    what: str
    found: str
    bound: str
    passed: bool | None  # None: a limit of the model or of the data, which no network can pass or fail

    @property
    def verdict(self) -> str:
        """In a word: "pass", "FAIL" or "limit"."""
        return {True: "pass", False: "FAIL", None: "limit"}[self.passed]


def convergence_checks(at: Convergence) -> list[Check]:
    """Did training come to rest, and does it generalize?"""
    return [
        Check("fall of validation loss at end", f"{at.falling:.3f} nats", f"< {AT_REST:g}", at.at_rest),
        Check("validation over training loss", f"{at.gap:.3f} nats", f"< {LARGEST_GAP:g}", at.gap < LARGEST_GAP),
    ]


def calibration_checks(ranks: Ranks, table: pd.DataFrame) -> list[Check]:
    """Are ranks uniform, on average and in every corner?

    Args:
        ranks: Of all recordings.
        table: From `calibration_table`.
    """
    everywhere = table.index.get_level_values("stratum") == "all"
    outside = ", ".join(name for name, inside in zip(ranks.names, ranks.inside_band(), strict=True) if not inside)
    checks = [
        _least_p("ranks", table[everywhere].droplevel("stratum")),
        Check("ECDF in its simultaneous band", f"not {outside}" if outside else "all", "all", not outside),
    ]
    return checks if everywhere.all() else [*checks, _least_p("ranks in strata", table[~everywhere])]


def _least_p(what: str, table: pd.DataFrame) -> Check:
    """The least of many p-values, with Bonferroni's bound."""
    p = table[["chi2_p", "ks_p"]]
    bound = FALSE_ALARM / p.size
    where = p.min(axis=1).idxmin()
    place = ", ".join(where) if isinstance(where, tuple) else str(where)
    least = float(p.to_numpy().min())
    return Check(f"{what}, least of {p.size} p-values", f"{least:.2g} ({place})", f"> {bound:.1g}", least > bound)


def recovery_checks(recovery: Recovery) -> list[Check]:
    """Do intervals hold the truth as often as they say, without bias, and is something learned?"""
    n, names = recovery.n_recordings, recovery.names
    coverage = np.array([recovery.coverage(probability) for probability in PROBABILITIES])
    sure = 1.0 - FALSE_ALARM / coverage.size
    low, high = np.array([coverage_band(n, probability, inside=sure) for probability in PROBABILITIES]).T
    outside = np.maximum(low[:, None] - coverage, coverage - high[:, None])
    i, j = np.unravel_index(np.argmax(outside), outside.shape)
    worst = f"{100 * coverage[i, j]:.1f} % ({names[j]}, {100 * PROBABILITIES[i]:.0f} %)"
    band = f"{100 * low[i]:.0f} to {100 * high[i]:.0f} %"
    # The error of a posterior mean averages to 0 over the prior, whatever the recordings say.
    z = recovery.bias / (np.std(recovery.mean - recovery.truth, axis=0, ddof=1) / np.sqrt(n))
    k = int(np.argmax(np.abs(z)))
    bias = f"{z[k]:+.1f} SE ({names[k]})"
    most = float(scipy.stats.norm.isf(FALSE_ALARM / len(names) / 2))
    error, gain = recovery.rmse / recovery.prior_sd, recovery.mean_gain
    least = int(np.argmax(error))
    learned = f"{error[least]:.2f} ({names[least]})"
    return [
        Check(f"coverage, worst of {coverage.size}", worst, band, bool(outside.max() <= 0)),
        Check("bias of the means, worst", bias, f"{most:.1f} SE", bool(abs(z[k]) < most)),
        Check("RMSE over prior SD, worst", learned, f"< {LEARNED:g}", bool(error[least] < LEARNED)),
        Check("log density over the prior's", f"{gain:.2f} nats", "> 0", gain > 0),
    ]


def correction_checks(diagnostics: pd.DataFrame) -> list[Check]:
    """How often do importance weights fail, and is every draw believable in the end?"""
    failed, reliable = (
        float((diagnostics.k_hat > LARGEST_K_HAT).mean()),
        float(diagnostics.reliable.astype(bool).mean()),
    )
    most = f"<= {100 * MOST_FAILED:.0f} %"
    return [
        Check(f"recordings with k-hat > {LARGEST_K_HAT:g}", f"{100 * failed:.1f} %", most, failed <= MOST_FAILED),
        Check("recordings with reliable draws", f"{100 * reliable:.1f} %", "100 %", reliable == 1.0),
    ]


def predictive_checks(p_values: pd.DataFrame) -> list[Check]:
    """Are features of recordings as extreme among their own predictions as they may be?

    Args:
        p_values: One row per recording, one column per feature.
    """
    share = (p_values < SMALL).mean()
    worst = str(share.idxmax())
    # At most 2 alpha under the right model (Meng 1994), and chance.
    bound = float(scipy.stats.binom.isf(FALSE_ALARM / len(share), len(p_values), 2 * SMALL)) / len(p_values)
    what = f"p-values below {SMALL:g}, worst of {len(share)}"
    found = f"{100 * share[worst]:.1f} % ({worst})"
    return [Check(what, found, f"<= {100 * bound:.1f} %", bool(share[worst] <= bound))]


def typicality_checks(p_values: Float64[np.ndarray, " dataset"], n_calibration: int) -> list[Check]:
    """Are simulations called atypical as often as they should be?

    Args:
        p_values: Of held-out simulations.
        n_calibration: Simulations that calibrated them.
    """
    found = float(np.mean(p_values < ATYPICAL))
    error = np.sqrt(ATYPICAL * (1.0 - ATYPICAL) * (1.0 / len(p_values) + 1.0 / n_calibration))
    room = float(scipy.stats.norm.isf(FALSE_ALARM / 2)) * error
    band = f"{100 * max(ATYPICAL - room, 0.0):.1f} to {100 * (ATYPICAL + room):.1f} %"
    return [Check("simulations called atypical", f"{100 * found:.1f} %", band, bool(abs(found - ATYPICAL) <= room))]


def contraction_checks(contraction: Contraction) -> list[Check]:
    """Are posteriors as narrow as the exact ones, whatever the length of the recording?"""
    low, high = RATIO_BAND
    checks = []
    for which, rows in contraction.verdicts().groupby("posterior", sort=False):
        worst = rows.loc[(np.log(rows.ratio).abs()).idxmax()]
        passed = bool((rows.verdict == "good").all())
        checks.append(
            Check(f"{which} SD over exact, worst", f"{worst.ratio:.2f} ({worst.parameter})", f"{low} to {high}", passed)
        )
    slopes = contraction.slopes()
    best = "corrected" if "corrected" in contraction.sd else "amortized"
    own = slopes[(slopes.posterior == best) & (slopes.group == "spiking")]
    found = ", ".join(f"{row.slope:.2f} ({row.parameter})" for row in own.itertuples())
    return [*checks, Check("exponents of the duration", found, "-0.5", None)]


def sensitivity_checks(stimuli: Conditions, dt: Conditions, prior: pd.DataFrame | None) -> list[Check]:
    """Does the posterior hold under other stimuli? What does it owe to dt, and to the prior?

    Args:
        stimuli: From `stimulus_sensitivity`.
        dt: From `dt_sensitivity`.
        prior: From `prior_sensitivity`, of many recordings; None where the likelihood is not known.
    """
    n, best = int(stimuli.recordings.n.iloc[0]), stimuli.recordings.posterior.iloc[-1]
    rows = stimuli.parameters
    rows = rows[(rows.posterior == best) & (rows.condition != "training")]
    low, high = coverage_band(n, inside=1.0 - FALSE_ALARM / len(rows))
    worst = rows.loc[(rows.coverage90 - INTERVAL).abs().idxmax()]
    checks = [
        Check(
            "coverage, other stimuli, worst",
            f"{100 * worst.coverage90:.0f} % ({worst.parameter}, {worst.condition})",
            f"{100 * low:.0f} to {100 * high:.0f} %",
            bool(low <= worst.coverage90 <= high),
        )
    ]
    rows = dt.parameters[dt.parameters.posterior == best]
    rows = rows[rows.condition.str.endswith("sampled")]
    worst = rows.loc[rows.coverage90.idxmin()]
    checks.append(
        Check("coverage, finer dt, worst", f"{100 * worst.coverage90:.0f} % ({worst.parameter})", "90 %", None)
    )
    if prior is not None:
        weak = (prior.diagnosis == "weak likelihood").groupby(level="parameter").mean()
        most = str(weak.idxmax())
        checks.append(Check("weak likelihood, most often", f"{100 * weak[most]:.0f} % ({most})", "", None))
    return checks
