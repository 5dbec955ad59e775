"""The card of a network that ships: every number in it comes from files beside it, which say whose they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from leakyflow.diagnostics.convergence import read_history
from leakyflow.diagnostics.results import CURE, numbers_of, read_tables
from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite, read_checks
from leakyflow.errors import LeakyflowError
from leakyflow.report.settings import described
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import ReadOff
from leakyflow.training.config import Config, load_config
from leakyflow.training.run import CONFIG, Record, read_record

__all__ = ["CARD", "LIMITS", "NUMBERS", "RECOVERY", "card"]

CARD = "README.md"
LIMITS = "limits.md"  # written by hand: when not to use the network
RECOVERY = "recovery_amortized.csv"  # within the diagnostics
NUMBERS = ("rmse", "contraction", "coverage50", "coverage90")  # of it, that are read again


def card(folder: Path) -> str:
    """What a network was trained on, what was found of it, and when not to use it.

    Args:
        folder: Of a finished and diagnosed run, with `limits.md` beside.

    Raises:
        FileNotFoundError: If one of the files is missing.
        ValueError: If what was measured is of other weights, or by other formulas than today's.
    """
    config, record = load_config(folder / CONFIG), read_record(folder)
    return f"""# `{config.name}`

Takes {_taken(config)} at dt {config.simulator.dt:g} ms; infers
{", ".join(f"`{name}`" for name in config.simulator.prior.inferred)}.

## When not to use it

{(folder / LIMITS).read_text().strip()}

## How it was made

{_made(folder, config, record)}

## What `leakyflow diagnose {config.name}` found

{_found(folder)}
"""


def _taken(config: Config) -> str:
    """Of what, and on which of it the network was trained."""
    shortest, longest = config.simulator.duration
    if not config.simulator.protocols:
        return f"recordings of {shortest:g} to {longest:g} ms"
    n_sweeps = [n for protocol in config.simulator.protocols for n in protocol.n_sweeps]
    trained = f"trained on {min(n_sweeps)} to {max(n_sweeps)} of {shortest:g} to {longest:g} ms"
    return f"cells of any number of sweeps ({trained})"


def _made(folder: Path, config: Config, record: Record) -> str:
    history, held_out = read_history(folder), record["held_out"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    priors = "\n".join(f"- `{name}`: {_said(entry)}" for name, entry in config.simulator.prior.root.items())
    error = held_out["sd"] / held_out["n"] ** 0.5
    what = "cells" if config.simulator.protocols else "recordings"
    return f"""```bash
leakyflow train --config {config.name} --out runs/{config.name}
```

{config.training.n_simulations:,} simulations from seed {record["dataset_seed"]}, {len(history)} epochs in \
{history.seconds.sum():.0f} s, weights from seed {record["seed"]}, backend {record["backend"]}, fingerprint of the
settings {record["config"]}, with {versions}.
All settings are in `{CONFIG}`, the losses in `history.csv`.

The mean negative log density of the true normal scores of {held_out["n"]:,.0f} held-out {what} is
{held_out["nll"]:.3f} nats (standard error {error:.3f}).{_median(held_out)}

{priors}"""


def _median(held_out: Mapping[str, float]) -> str:
    """Of cells, of which a few make the mean."""
    if "median" not in held_out:
        return ""
    return (
        f" A few of them make it, whose mode was not found:\nthe median of the first {held_out['n_again']:.0f} is "
        f"{held_out['median']:.2f} nats, and {held_out['untrained_median']:.2f} before training."
    )


def _found(folder: Path) -> str:
    """Verdicts on these very weights, and the recovery behind them."""
    kept = read_checks(folder / DIAGNOSTICS)
    found = Suite(folder, folder / DIAGNOSTICS, n=kept["n"], seed=kept["seed"]).finished() if kept else {}
    if not found:
        raise LeakyflowError(
            f"{folder / DIAGNOSTICS} must hold what was measured on the weights beside it, by today's formulas, and "
            f"does not. Run `leakyflow diagnose {folder}`."
        )
    rows = [(part, check.what, check.found, check.bound, check.verdict) for part in found for check in found[part]]
    verdicts = _table(("part", "check", "found", "bound", "verdict"), rows)
    recovery = read_tables(folder / DIAGNOSTICS).get(RECOVERY.removesuffix(".csv"))
    if recovery is None:
        raise FileNotFoundError(f"No {RECOVERY} in {folder / DIAGNOSTICS}. {CURE}")
    recovery = numbers_of(recovery, NUMBERS, folder / DIAGNOSTICS / RECOVERY).round(3)
    return f"""{verdicts}

The network's own draws, before any correction:

{_table(list(recovery.columns), recovery.to_numpy().tolist())}"""


def _said(entry: float | AbstractDistribution | ReadOff) -> str:
    """What is known of a parameter, in words."""
    if isinstance(entry, ReadOff):
        return f"read off each recording, in simulations {described(entry.read_off)}"
    return described(entry)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
