"""All checks of a trained network, one after the other: numbers first, figures from them, verdicts last."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from leakyflow.diagnostics import plots, verdicts
from leakyflow.diagnostics.calibration import LEAST_RECORDINGS
from leakyflow.diagnostics.contraction import measure_contraction
from leakyflow.diagnostics.convergence import measure_convergence, read_history
from leakyflow.diagnostics.held_out import diagnose
from leakyflow.diagnostics.predictive import FEATURES, posterior_predictive
from leakyflow.diagnostics.sensitivity import dt_sensitivity, prior_sensitivity, stimulus_sensitivity
from leakyflow.diagnostics.typicality import typicality_of
from leakyflow.diagnostics.verdicts import Check
from leakyflow.models.posterior import Posterior
from leakyflow.reference.target import has_likelihood
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.training.config import Config, load_config
from leakyflow.training.run import CONFIG, NETWORK, load_posterior, replacing, trained

__all__ = ["CHECKS", "DIAGNOSTICS", "Suite"]

DIAGNOSTICS = "diagnostics"  # within a run's folder
CHECKS = "checks.json"  # within that
# Added to the seed of the training set: no run is tested on what another was trained on.
HELD_OUT_SEED = 1_000_000
N_PREDICTIVE = 200
# Neurons whose recordings are varied, and those of them for which the exact posterior is sampled.
N_NEURONS, N_REFERENCE = 60, 2


class Part(NamedTuple):
    """One diagnostic."""

    name: str
    title: str
    work: Callable[[], list[Check]]
    held_out: bool = True  # whether it takes all held-out simulations


@dataclass(frozen=True, eq=False)
class Suite:
    """The checks of the network in a run's folder.

    Each part writes its numbers (CSV), its figures (PNG and SVG) and its verdicts when it is done; started again with
    the same network, seed and number of recordings, finished parts are not done again.

    Attributes:
        run: Folder of a run, finished or not.
        out: Folder to write to.
        n: Held-out recordings.
        seed: Of these, counted from that of the training set, and of the draws.
        only: Names of the parts to do; all where it is empty.
        progress: Show a bar on the terminal.

    Raises:
        FileNotFoundError: If there is no such run.
        ValueError: If it has no network yet, or there are too few recordings to judge.
    """

    run: Path
    out: Path
    n: int = 1000
    seed: int = 0
    only: tuple[str, ...] = ()
    progress: bool = False

    def __post_init__(self) -> None:
        trained(self.run)
        if self.n < LEAST_RECORDINGS:
            raise ValueError(f"Calibration needs at least {LEAST_RECORDINGS} held-out recordings, got {self.n}.")

    @cached_property
    def config(self) -> Config:
        """Settings of the run."""
        return load_config(self.run / CONFIG)

    @cached_property
    def posterior(self) -> Posterior:
        """The network under test."""
        return load_posterior(self.run)

    @cached_property
    def held_out(self) -> Dataset:
        """Simulations that the network has not seen."""
        return make_dataset(self.config, self.n, seed=self.config.training.seed + HELD_OUT_SEED + self.seed)

    @property
    def parts(self) -> list[Part]:
        """What is to be done, cheapest first."""
        parts = [
            Part("convergence", "Convergence of training", self._convergence, held_out=False),
            Part("raw", "Calibration and recovery of the network's draws", partial(self._held_out, False)),
        ]
        if has_likelihood(self.config.simulator.parameters):
            parts.append(
                Part("corrected", "Calibration and recovery of corrected draws", partial(self._held_out, True)),
            )
        parts += [
            Part("predictive", "Posterior predictive checks", self._predictive, held_out=False),
            Part("typicality", "False alarms of the verdict on typicality", self._typicality),
            Part("contraction", "Contraction with more data", self._contraction, held_out=False),
            Part("sensitivity", "Sensitivity to stimuli, dt and the prior", self._sensitivity, held_out=False),
        ]
        return [part for part in parts if not self.only or part.name in self.only]

    def finished(self) -> dict[str, list[Check]]:
        """Verdicts of the parts that were done for this very network."""
        path = self.out / CHECKS
        kept = json.loads(path.read_text()) if path.is_file() else {}
        if kept.get("fingerprint") != self._fingerprint:
            return {}
        return {name: [Check(*row) for row in rows] for name, rows in kept["parts"].items()}

    def remaining(self) -> Iterator[tuple[Part, Callable[[], list[Check]]]]:
        """Go through the parts that are not done; calling the second of a pair does one and keeps its verdicts."""
        for part in self.parts:
            if part.name not in self.finished():
                yield part, partial(self._do, part)

    def _do(self, part: Part) -> list[Check]:
        self.out.mkdir(parents=True, exist_ok=True)
        found = part.work()
        with replacing(self.out / CHECKS) as path:
            parts = {**self.finished(), part.name: found}
            kept = {"fingerprint": self._fingerprint, "n": self.n, "seed": self.seed, "parts": parts}
            path.write_text(json.dumps(kept, indent=1) + "\n")
        return found

    @cached_property
    def _fingerprint(self) -> str:
        """Of the weights, the settings, and what they are tested on."""
        given = f"{self.config.hash} {self.n} {self.seed}".encode()
        return sha256((self.run / NETWORK).read_bytes() + given).hexdigest()[:16]

    def _keep(self, name: str, table: pd.DataFrame) -> None:
        with replacing(self.out / f"{name}.csv") as path:
            table.to_csv(path)

    def _draw(self, name: str, figure: Figure) -> None:
        for suffix in (".png", ".svg"):
            with replacing(self.out / f"{name}{suffix}") as path:
                plots.save_figure(figure, path)

    def _convergence(self) -> list[Check]:
        history = read_history(self.run)
        self._keep("convergence", history)
        self._draw("convergence", plots.plot_history(history))
        return verdicts.convergence_checks(measure_convergence(history))

    def _held_out(self, correct: bool) -> list[Check]:
        kind = "corrected" if correct else "raw"
        diagnosis = diagnose(self.posterior, self.held_out, seed=self.seed, correct=correct, progress=self.progress)
        calibration = diagnosis.calibration()
        self._keep(f"recovery_{kind}", diagnosis.recovery.table())
        self._keep(f"calibration_{kind}", calibration)
        self._draw(f"recovery_{kind}", plots.plot_recovery(diagnosis.recovery))
        self._draw(f"z_scores_{kind}", plots.plot_z_scores(diagnosis.recovery))
        self._draw(f"ranks_{kind}", plots.plot_ranks(diagnosis.ranks))
        self._draw(f"ecdf_{kind}", plots.plot_ecdf(diagnosis.ranks))
        found = verdicts.calibration_checks(diagnosis.ranks, calibration) + verdicts.recovery_checks(diagnosis.recovery)
        if not correct:
            return found
        assert diagnosis.draws.diagnostics is not None
        self._keep("correction", diagnosis.draws.diagnostics)
        return found + verdicts.correction_checks(diagnosis.draws.diagnostics)

    def _predictive(self) -> list[Check]:
        recordings = self.held_out.recordings(slice(N_PREDICTIVE))
        draws = self.posterior.sample(recordings, n_draws=200, seed=self.seed)
        rows = [
            posterior_predictive(recording, draws.of(i), self.posterior.prior, seed=self.seed).p_values(recording)
            for i, recording in enumerate(recordings)
        ]
        p_values = pd.DataFrame(rows, index=pd.Index(recordings.names, name="recording"))
        self._keep("predictive", p_values)
        self._draw("predictive", plots.plot_predictive_p_values(p_values, FEATURES))
        return verdicts.predictive_checks(p_values)

    def _typicality(self) -> list[Check]:
        typicality, recordings = typicality_of(self.posterior), self.held_out.recordings()
        projection = typicality.projection(recordings)
        self._keep("typicality", pd.DataFrame({"p": projection.p}, index=pd.Index(recordings.names, name="recording")))
        self._draw("typicality", plots.plot_typicality(projection))
        return verdicts.typicality_checks(projection.p, typicality.n_calibration)

    def _contraction(self) -> list[Check]:
        exact = has_likelihood(self.posterior.prior)
        found = measure_contraction(
            self.posterior, n=N_NEURONS, n_reference=N_REFERENCE if exact else 0, seed=self.seed
        )
        self._keep("contraction_by_duration", found.by_duration())
        self._keep("contraction_by_spikes", found.by_spikes())
        self._keep("contraction_slopes", found.slopes())
        self._draw("contraction", plots.plot_contraction(found))
        return verdicts.contraction_checks(found)

    def _sensitivity(self) -> list[Check]:
        stimuli = stimulus_sensitivity(self.posterior, n=N_NEURONS, seed=self.seed)
        dt = dt_sensitivity(self.posterior, n=N_NEURONS, seed=self.seed)
        for name, found in (("stimuli", stimuli), ("dt", dt)):
            self._keep(f"sensitivity_{name}", found.parameters)
            self._keep(f"sensitivity_{name}_recordings", found.recordings)
            self._draw(f"sensitivity_{name}", plots.plot_sensitivity(found))
        if not has_likelihood(self.posterior.prior):
            return verdicts.sensitivity_checks(stimuli, dt, None)
        recordings = self.held_out.recordings(slice(N_NEURONS))
        draws = self.posterior.sample(recordings, n_draws=2000, seed=self.seed)
        prior = prior_sensitivity(draws, recordings, self.posterior.prior)
        self._keep("sensitivity_prior", prior)
        self._draw("sensitivity_prior", plots.plot_prior_sensitivity(prior))
        return verdicts.sensitivity_checks(stimuli, dt, prior)
