"""The parts of a diagnosis: each computes, keeps its numbers, draws them, and gives its verdicts."""

import pandas as pd

from leakyflow.diagnostics import verdicts
from leakyflow.diagnostics.contraction import measure_contraction
from leakyflow.diagnostics.convergence import measure_convergence, read_history
from leakyflow.diagnostics.held_out import diagnose
from leakyflow.diagnostics.plots.calibration import plot_ecdf, plot_ranks, plot_recovery, plot_z_scores
from leakyflow.diagnostics.plots.contraction import plot_contraction
from leakyflow.diagnostics.plots.predictive import plot_predictive_p_values
from leakyflow.diagnostics.plots.sensitivity import plot_prior_sensitivity, plot_sensitivity
from leakyflow.diagnostics.plots.training import plot_history
from leakyflow.diagnostics.plots.typicality import plot_typicality
from leakyflow.diagnostics.power_scaling import prior_sensitivity
from leakyflow.diagnostics.predictive import FEATURES, posterior_predictive
from leakyflow.diagnostics.sensitivity import dt_sensitivity, stimulus_sensitivity
from leakyflow.diagnostics.subject import Subject
from leakyflow.diagnostics.typicality import typicality_of
from leakyflow.diagnostics.verdicts import Check
from leakyflow.likelihood.prepare import has_exact_likelihood, has_likelihood

__all__ = ["contraction", "convergence", "held_out", "predictive", "sensitivity", "typicality"]

N_PREDICTIVE = 200
# Neurons whose recordings are varied, and those of them for which the exact posterior is sampled.
N_NEURONS, N_EXACT = 60, 2


def convergence(given: Subject) -> list[Check]:
    """Losses over training."""
    history = read_history(given.run)
    given.results.keep("convergence", history)
    given.results.draw("convergence", plot_history(history))
    return verdicts.convergence_checks(measure_convergence(history))


def held_out(given: Subject, *, correct: bool) -> list[Check]:
    """Calibration and recovery, of the network's own draws or of those that `sample` gives, corrected or checked."""
    which, results = "corrected" if correct else "amortized", given.results
    diagnosis = diagnose(
        given.posterior, given.held_out, seed=given.seed, correct="auto" if correct else False, progress=given.progress
    )
    calibration = diagnosis.calibration()
    results.keep(f"recovery_{which}", diagnosis.recovery.table())
    results.keep(f"calibration_{which}", calibration)
    results.draw(f"recovery_{which}", plot_recovery(diagnosis.recovery))
    results.draw(f"z_scores_{which}", plot_z_scores(diagnosis.recovery))
    results.draw(f"ranks_{which}", plot_ranks(diagnosis.ranks))
    results.draw(f"ecdf_{which}", plot_ecdf(diagnosis.ranks))
    found = verdicts.calibration_checks(diagnosis.ranks, calibration) + verdicts.recovery_checks(diagnosis.recovery)
    if not correct:
        return found
    assert diagnosis.draws.diagnostics is not None
    results.keep("correction", diagnosis.draws.diagnostics)
    return found + verdicts.correction_checks(diagnosis.draws.diagnostics)


def predictive(given: Subject) -> list[Check]:
    """Posterior predictive p-values of held-out recordings."""
    recordings = given.held_out.recordings(slice(N_PREDICTIVE))
    draws = given.posterior.sample(recordings, n_draws=200, seed=given.seed)
    rows = [
        posterior_predictive(recording, draws.of(i), given.posterior.prior, seed=given.seed).p_values(recording)
        for i, recording in enumerate(recordings)
    ]
    p_values = pd.DataFrame(rows, index=pd.Index(recordings.names, name="recording"))
    given.results.keep("predictive", p_values)
    given.results.draw("predictive", plot_predictive_p_values(p_values, FEATURES))
    return verdicts.predictive_checks(p_values)


def typicality(given: Subject) -> list[Check]:
    """How often held-out simulations are called atypical."""
    of_network, recordings = typicality_of(given.posterior), given.held_out.recordings()
    projection = of_network.projection(recordings)
    index = pd.Index(recordings.names, name="recording")
    given.results.keep("typicality", pd.DataFrame({"p": projection.p}, index=index))
    given.results.draw("typicality", plot_typicality(projection))
    return verdicts.typicality_checks(projection.p, of_network.n_calibration)


def contraction(given: Subject) -> list[Check]:
    """How posteriors contract as recordings grow longer."""
    n_exact = N_EXACT if has_exact_likelihood(given.posterior.prior) else 0
    found = measure_contraction(given.posterior, n=N_NEURONS, n_exact=n_exact, seed=given.seed)
    given.results.keep("contraction_by_duration", found.by_duration())
    given.results.keep("contraction_by_spikes", found.by_spikes())
    given.results.keep("contraction_slopes", found.slopes())
    given.results.draw("contraction", plot_contraction(found))
    return verdicts.contraction_checks(found)


def sensitivity(given: Subject) -> list[Check]:
    """What posteriors owe to stimuli, to dt, and to the prior where the likelihood is known."""
    stimuli = stimulus_sensitivity(given.posterior, n=N_NEURONS, seed=given.seed)
    dt = dt_sensitivity(given.posterior, n=N_NEURONS, seed=given.seed)
    for name, found in (("stimuli", stimuli), ("dt", dt)):
        given.results.keep(f"sensitivity_{name}", found.parameters)
        given.results.keep(f"sensitivity_{name}_recordings", found.recordings)
        given.results.draw(f"sensitivity_{name}", plot_sensitivity(found))
    return verdicts.sensitivity_checks(stimuli, dt, _to_prior(given))


def _to_prior(given: Subject) -> pd.DataFrame | None:
    if not has_likelihood(given.posterior.prior):
        return None
    recordings = given.held_out.recordings(slice(N_NEURONS))
    draws = given.posterior.sample(recordings, n_draws=2000, seed=given.seed)
    prior = prior_sensitivity(draws, recordings, given.posterior.prior)
    given.results.keep("sensitivity_prior", prior)
    given.results.draw("sensitivity_prior", plot_prior_sensitivity(prior))
    return prior
