"""The commands that simulate and train, and the one that shows the whole path."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leakyflow.cli.console import out, show_files, timed
from leakyflow.cli.errors import resumable
from leakyflow.cli.options import ConfigOption, SeedOption, again, examples, group
from leakyflow.cli.tables import checks_table, recovery_table
from leakyflow.cpu import n_cpu
from leakyflow.errors import LeakyflowError
from leakyflow.files import filling, replacing

if TYPE_CHECKING:
    from leakyflow.diagnostics.suite import Suite
    from leakyflow.simulator.dataset import Dataset
    from leakyflow.training.config import Config
    from leakyflow.training.fit import Run

__all__ = ["commands", "share_batches"]

MOST_DEVICES = 4  # more shares of a batch than that are too small to pay
DATASET = "dataset.zarr"  # within a run's folder

commands = group()


@commands.command(epilog=examples("run", "run --out runs/another --seed 2"))
def run(
    folder: Annotated[Path, typer.Option("--out", help="Folder for everything.")] = Path("runs/quick"),
    seed: SeedOption = 1,
) -> None:
    """See the whole path once: simulate, train, diagnose, infer. Takes about two minutes.

    Trains the preset [bold]quick[/bold], tests it on held-out simulations, and infers one of them.
    Where --out holds the same run, finished or not, it continues there.
    """
    share_batches()
    from dataclasses import replace

    from leakyflow.cli.diagnosis import do_checks
    from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
    from leakyflow.training.config import load_config
    from leakyflow.training.run import CONFIG

    config = load_config("quick")
    config = replace(config, training=replace(config.training, seed=seed))
    with resumable(again("run", out=folder, seed=seed)):
        start_run(config, folder, resume=(folder / CONFIG).is_file())
        train_in(folder, config, None)
        suite = Suite(folder, folder / DIAGNOSTICS, only=("convergence", "amortized"), progress=out.is_terminal)
        do_checks(suite)
        out.print(recovery_table(suite.out / "recovery_amortized.csv"))
        out.print(checks_table(suite.finished()))
        infer_held_out(suite, folder)
    out.print("\nA recording of your own needs no training, for the network of real cells ships:")
    out.print("  leakyflow infer FILE")


@commands.command(
    epilog=examples(
        "simulate --config standard --out data/standard.zarr",
        "simulate --config my.toml --n 1000 --seed 7 --out data/mine.zarr",
    )
)
def simulate(
    config: ConfigOption,
    folder: Annotated[Path, typer.Option("--out", help="Zarr folder to write.")],
    n: Annotated[int | None, typer.Option(min=1, max=2**24, help="Batch.  \\[default: as configured]")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Of the dataset.  \\[default: as configured]")
    ] = None,
) -> None:
    """Simulate a dataset. Interrupted, the same command continues to the same bits."""
    from leakyflow.training.config import load_config

    settings = load_config(config)
    n = settings.training.n_simulations if n is None else n
    seed = settings.training.seed if seed is None else seed
    with resumable(again("simulate", config=config, n=n, seed=seed, out=folder)):
        simulate_to(folder, settings, n, seed)


@commands.command(
    epilog=examples(
        "train --config lif --out runs/lif",
        "train --config my.toml --dataset data/mine.zarr --out runs/mine",
        "train --resume --out runs/lif",
    )
)
def train(
    folder: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    config: Annotated[str | None, typer.Option("--config", "-c", help="A preset's name or a TOML file.")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="From `leakyflow simulate`.  \\[default: simulated into the run]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, under its settings.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log losses for TensorBoard, into --out.")] = False,
) -> None:
    """Train a network. Interrupted, it resumes to the same weights."""
    share_batches()
    from leakyflow.training.config import load_config
    from leakyflow.training.run import CONFIG

    if resume == (config is not None):
        raise typer.BadParameter("Pass either --config for a new run, or --resume for one that was interrupted.")
    if resume and not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"No run to resume in {folder}. Start one with --config.")
    if tensorboard and find_spec("tensorboardX") is None:
        raise typer.BadParameter("--tensorboard needs another package: pip install 'leakyflow[tensorboard]'")
    settings = load_config(folder / CONFIG if config is None else config)
    with resumable(again("train", resume=True, out=folder, dataset=dataset, tensorboard=tensorboard)):
        start_run(settings, folder, resume=resume)
        train_in(folder, settings, dataset, tensorboard)
    out.print(f"Use it:  {again('infer', 'FILE', network=folder)}", soft_wrap=True)


def share_batches() -> None:
    """Before JAX is imported: let it see a few of the CPUs as devices, which share each training batch."""
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(min(n_cpu(), MOST_DEVICES)))


def start_run(config: "Config", folder: Path, *, resume: bool) -> None:
    """Write the settings into a run's folder before anything is computed, unless it is another run's."""
    from leakyflow.training.config import load_config
    from leakyflow.training.run import CONFIG

    path = folder / CONFIG
    if path.is_file() and not resume:
        raise LeakyflowError(f"{folder} already holds a run. Continue it with --resume, or choose another --out.")
    if path.is_file() and load_config(path).hash != config.hash:
        raise LeakyflowError(f"{folder} holds a run with other settings (see {path}). Choose another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        with replacing(path) as scratch:
            scratch.write_text(config.to_toml())


def train_in(folder: Path, config: "Config", dataset: Path | None, tensorboard: bool = False) -> "Run":
    """Simulate unless there is a dataset, and train or continue."""
    from leakyflow.cli.posteriors import load_typicality
    from leakyflow.simulator.dataset import open_dataset

    n = config.training.n_simulations
    data = simulate_to(folder / DATASET, config, n, config.training.seed) if dataset is None else open_dataset(dataset)
    with timed(f"Training {config.training.epochs} epochs") as note:
        from leakyflow.training.fit import train as fit

        run = fit(config, data, out=folder, resume=True, progress=out.is_terminal, tensorboard=tensorboard)
        best = min(run.history, key=lambda row: row["val_loss"])
        note.append(f"best validation loss {best['val_loss']:.3f} at epoch {best['epoch']:g} of {len(run.history)}")
    if not run.posterior.network.takes_cells:
        load_typicality(run.posterior)
    return run


def simulate_to(folder: Path, config: "Config", n: int, seed: int) -> "Dataset":
    """Simulate a dataset to disk, or finish one that was interrupted."""
    from leakyflow.simulator.dataset import make_dataset

    shortest, longest = config.simulator.duration
    with timed(f"Simulating {n:,} recordings of {shortest:g} to {longest:g} ms") as note:
        dataset = make_dataset(config, n, seed=seed, out=folder, progress=out.is_terminal)
        note.append(str(folder))
    return dataset


def infer_held_out(suite: "Suite", folder: Path) -> None:
    """Infer the first held-out recording with a few spikes, whose parameters are known."""
    import numpy as np

    from leakyflow.cli.posteriors import load_typicality, show_posterior, show_simulations
    from leakyflow.recordings.files.saved import save_recording

    recordings = suite.held_out.recordings()
    n_spikes = recordings.n_spikes
    row = int(np.argmax((n_spikes >= 3) & (n_spikes <= 10)))
    recording = recordings[row]
    truth = suite.held_out.parameters().map(lambda value: float(value[row]))
    draws = suite.posterior.sample(recording, n_draws=1000, seed=0)
    out.print(f"\nOne held-out recording of {recording.duration:g} ms with {n_spikes[row]} spikes:")
    show_simulations(load_typicality(suite.posterior).check(recording))
    with filling(folder) as scratch:
        save_recording(recording, scratch / "held_out.npz")
        show_posterior(recording, draws, suite.posterior, scratch / "held_out", seed=0, truth=truth)
    show_files(folder, ["held_out.npz", "held_out.png", "held_out.svg", "held_out.nc"])
