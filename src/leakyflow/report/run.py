"""The page of a finished run: its settings, its network, and everything that was checked about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from leakyflow import __version__
from leakyflow.diagnostics.calibration import BAND
from leakyflow.diagnostics.checks import CHECKS as MODEL_CHECKS
from leakyflow.diagnostics.cloud import ATYPICAL, VERY_ATYPICAL
from leakyflow.diagnostics.convergence import measure_convergence, read_history
from leakyflow.diagnostics.plots.predictive import plot_prior_predictive
from leakyflow.diagnostics.predictive import FEATURES, SMALL
from leakyflow.diagnostics.results import CURE, numbers_of, read_tables
from leakyflow.diagnostics.suite import CHECKS, DIAGNOSTICS, Suite, read_checks
from leakyflow.diagnostics.typicality import N_SIMULATIONS
from leakyflow.diagnostics.verdicts import FALSE_ALARM
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.importance import LARGEST_K_HAT
from leakyflow.models.statistics import STATISTICS
from leakyflow.models.summary import RecordingSummary
from leakyflow.report import settings
from leakyflow.report.card import NUMBERS
from leakyflow.report.page import TEMPLATES, Markdown, Page, in_decimals, in_percent, render
from leakyflow.schema import reading
from leakyflow.simulator.prior_predictive import FASTEST, HIGHEST, LOWEST, prior_predictive
from leakyflow.training.run import RECORD, read_record, trained

__all__ = ["Facts", "facts_of", "forms", "run_page"]

N_PRIOR, PRIOR_SEED = 2000, 1  # recordings of the prior predictive figure


@dataclass(frozen=True, eq=False)
class Facts:
    """What templates may refer to: values by name, and figures."""

    values: dict[str, Any]
    figures: dict[str, Any]

    def page(self, template: str, *, title: str, folders: Sequence[Path] = (TEMPLATES,), **more: Any) -> Page:
        """Fill in a template; the figures that it names go with it.

        Raises:
            ValueError: If it refers to a value or a figure that is missing.
        """
        named: dict[str, Any] = {}

        def figure(name: str) -> Markdown:
            if name not in self.figures:
                raise LeakyflowError(
                    f"The template {template} shows a figure `{name}`, but there are {[*self.figures]}."
                )
            named[name] = self.figures[name]
            return Markdown(f"figure:{name}")

        body = render(template, self.values | forms() | more | {"figure": figure}, folders=folders)
        subtitle = f"leakyflow {__version__}, {self.values['built']}"
        return Page(title=title, subtitle=subtitle, body=body, figures=named)


def forms() -> dict[str, Any]:
    """Forms of columns, for `table` in templates."""
    shared = {f"decimals{n}": in_decimals(n) for n in range(5)} | {f"percent{n}": in_percent(n) for n in range(2)}
    return shared | {"symbol": settings.symbol, "bare": lambda name: name.strip("`")}


def run_page(run: str | Path, diagnostics: Path | None = None) -> Page:
    """The page of a run.

    Args:
        run: Its folder.
        diagnostics: Folder that `leakyflow diagnose` wrote; that within the run by default.

    Raises:
        FileNotFoundError: If there is no such run.
        ValueError: If it is not finished, or was not diagnosed.

    Example:
        >>> run_page("standard", Path("nowhere"))
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: A report needs the diagnostics of the run, ... Run
          leakyflow diagnose ...
    """
    facts = facts_of(run, diagnostics)
    with reading(facts.values["found"], "what was found of the run", CURE):  # templates name columns of its tables
        return facts.page("run.md", title=f"The run {facts.values['config'].name}")


def facts_of(run: str | Path, diagnostics: Path | None = None) -> Facts:
    """Read everything that a run says.

    Args:
        run: Its folder.
        diagnostics: Folder that `leakyflow diagnose` wrote; that within the run by default.

    Raises:
        FileNotFoundError: If there is no such run.
        ValueError: If it is not finished, or was not diagnosed.
    """
    folder = trained(run)
    record = read_record(folder)
    if record.get("state") != "finished":
        raise LeakyflowError(
            f"A report needs a finished run, but {folder / RECORD} says `{record.get('state', 'nothing')}`. "
            "Go on with\n"
            f"  leakyflow train --resume --out {folder}"
        )
    found = folder / DIAGNOSTICS if diagnostics is None else diagnostics
    suite, verdicts = _verdicts(folder, found)
    config, network, history = suite.config, suite.posterior.network, read_history(folder)
    simulated = prior_predictive(config, n=N_PRIOR, seed=PRIOR_SEED)
    tables = read_tables(found)
    constants = {"SMALL": SMALL, "LARGEST_K_HAT": LARGEST_K_HAT, "ATYPICAL": ATYPICAL, "VERY_ATYPICAL": VERY_ATYPICAL}
    constants |= {"FASTEST": FASTEST, "LOWEST": LOWEST, "HIGHEST": HIGHEST, "N_TYPICAL": N_SIMULATIONS}
    constants |= {"BAND": BAND, "FALSE_ALARM": FALSE_ALARM}
    prior = config.simulator.prior
    values = {
        "built": f"built on {datetime.now(UTC).date()}",
        "run": str(run),
        "found": found,
        "config": config,
        "record": record,
        "history": history.reset_index(),
        "convergence": measure_convergence(history),
        "minutes": float(history["seconds"].sum() / 60),
        "prior": prior,
        "parameters": settings.parameters(prior),
        "stimuli": settings.stimuli(config.simulator),
        "settings": settings.settings(config),
        "layers": settings.layers(network),
        "n_parameters": int(network.approximator.count_params()),
        "n_summary": _n_summary(network.approximator.summary_network),
        "simulated": simulated,
        "activity": _activity(simulated),
        "N_PRIOR": N_PRIOR,
        "PRIOR_SEED": PRIOR_SEED,
        "statistics": _definitions(STATISTICS),
        "model_checks": _definitions(MODEL_CHECKS),
        "features": _definitions(FEATURES),
        "n_held_out": suite.n,
        "held_out_seed": suite.seed,
        "verdicts": verdicts,
        "failed": verdicts[verdicts.passed.eq(False)],
        "has_likelihood": "corrected" in {part.name for part in suite.parts},
        "t": tables,
        "best_and_worst": _extremes(tables, found),
        "posteriors": [name for name in ("amortized", "corrected") if f"recovery_{name}" in tables],
        **constants,
    }
    figures = {path.stem: path.with_suffix("") for path in found.glob("*.svg") if path.with_suffix(".png").is_file()}
    return Facts(values, figures | {"prior_predictive": plot_prior_predictive(simulated)})


def _verdicts(folder: Path, found: Path) -> tuple[Suite, pd.DataFrame]:
    """What `leakyflow diagnose` decided of this very network, refused where parts are missing."""
    to = "" if found == folder / DIAGNOSTICS else f" --out {found}"
    cure = f"Run\n  leakyflow diagnose {folder}{to}"
    kept = read_checks(found)
    if kept is None:
        raise LeakyflowError(f"A report needs the diagnostics of the run, but there is no {found / CHECKS}. {cure}")
    suite = Suite(folder, found, n=kept["n"], seed=kept["seed"])
    finished = suite.finished()
    if not finished:
        raise LeakyflowError(
            f"The diagnostics in {found} are of another network than the one in {folder}, or by other formulas. {cure}"
        )
    missing = [part.name for part in suite.parts if part.name not in finished]
    if missing:
        raise LeakyflowError(f"The diagnostics in {found} lack {', '.join(missing)}. {cure}")
    rows = [
        {"part": part, **check._asdict(), "verdict": check.verdict}
        for part, checks in finished.items()
        for check in checks
    ]
    return suite, pd.DataFrame(rows)


def _definitions(meanings: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"name": [Markdown(f"`{name}`") for name in meanings], "meaning": list(meanings.values())})


def _n_summary(summary: RecordingSummary) -> int:
    """Length of the summary."""
    return summary.standardize["local"].mean.shape[0] + len(summary.branches) * summary.settings.widths[-1]


def _activity(simulated: Any) -> pd.DataFrame:
    """One row per stimulus prior, and one of all."""
    waveforms = [
        (name.replace("_", "-"), found) for name, found in zip(simulated.stimuli, simulated.by_stimulus, strict=True)
    ]
    rows = [
        {"stimulus": name, "n": found.n, "silent": found.silent, "slow": found.slow, "inside": found.inside}
        | {"rate50": found.rate[0.5], "rate95": found.rate[0.95], "lowest": found.lowest[0.01]}
        | {"highest": found.highest[0.99]}
        for name, found in [*waveforms, ("all", simulated.everything)]
    ]
    return pd.DataFrame(rows)


def _extremes(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, Any]:
    """Rows that the text names."""
    name = "recovery_corrected" if "recovery_corrected" in tables else "recovery_amortized"
    if name not in tables:
        raise FileNotFoundError(f"No {name}.csv in {folder}. {CURE}")
    records = numbers_of(tables[name], NUMBERS, folder / f"{name}.csv").to_dict("records")
    return {
        "least_contraction": min(records, key=lambda row: row["contraction"]),
        "most_contraction": max(records, key=lambda row: row["contraction"]),
        "least_coverage": min(records, key=lambda row: row["coverage90"]),
        "most_coverage": max(records, key=lambda row: row["coverage90"]),
    }
