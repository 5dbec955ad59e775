"""The command line: `leakyflow --help`.

Heavy libraries are imported inside the commands, so that help comes at once.
"""

import gc
import logging
import os
import platform
import re
import shlex
import shutil
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from leakyflow import __version__
from leakyflow.cores import n_cores

if TYPE_CHECKING:
    import pandas as pd

    from leakyflow.diagnostics.predictive import Predictive
    from leakyflow.diagnostics.suite import Suite
    from leakyflow.diagnostics.typicality import Typicality, Verdict
    from leakyflow.diagnostics.verdicts import Check
    from leakyflow.models.posterior import Posterior
    from leakyflow.recordings.read import Sweep
    from leakyflow.recordings.recording import Recording
    from leakyflow.reference.draws import Draws
    from leakyflow.simulator.dataset import Dataset
    from leakyflow.simulator.parameters import Parameters
    from leakyflow.training.config import Config
    from leakyflow.training.fit import Run

__all__ = ["app", "main"]

UNSOUND, FAILED, INTERRUPTED = 1, 2, 130
MOST_DEVICES = 4  # more shares of a batch than that are too small to pay
DEFAULT_NETWORK = "recording"  # ships with the package
DATASET = "dataset.zarr"  # within a run's folder
BACKENDS = ("jax", "torch", "tensorflow")
VERDICT_STYLES = {"pass": "green", "FAIL": "red", "limit": "dim"}
HDF5_OVERHEAD = 2**18  # bytes beside the draws in a NetCDF file, and as much again
PURPOSES = {
    "quick": "A first look: the standard model, a minute of training",
    "standard": "Simulated neurons with a hard threshold; steps and sinusoids",
    "lstm": "As standard, from the raw trace by a recurrent network; two hours",
    "recording": "Real cells: noisy threshold, many stimuli, own reset",
}
# Arguments of `read_recording` that its errors name, and the options that set them.
OPTIONS = {name: "--" + name.replace("_", "-") for name in ("sweep", "channel", "current", "start", "stop", "t_ref")}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Commands(TyperGroup):
    """All commands; what goes wrong in one becomes one screen."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with one_screen():
            return super().invoke(ctx)


def examples(*lines: str) -> str:
    """Lay out examples below a command's help."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  [cyan]leakyflow {line}[/cyan]" for line in lines)])


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("run", "presets", "infer cell.abf --sweep 3"),
)

ConfigOption = Annotated[str, typer.Option("--config", "-c", help="A preset's name or a TOML file.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]
FileArgument = Annotated[Path, typer.Argument(help="ABF, NWB, IBW, CSV or NPZ; told apart by content.")]
ChannelOption = Annotated[
    str | None, typer.Option(help="Voltage channel, electrode or column, where the file has several.")
]
CurrentOption = Annotated[
    str | None,
    typer.Option(help="Injected current, where the file leaves it open: channel, 'command', or the other IBW file."),
]


def main() -> None:
    """Entry point of the `leakyflow` command."""
    # The terminal is the user's: libraries neither warn nor log there. Errors still surface, as exceptions.
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it has a handler of its own
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Imports and traces make many objects, hardly any of them garbage; to look for it as often as Python does by
    # default takes a tenth of a command's time.
    gc.set_threshold(50_000)
    keep_compiled()
    app()


def keep_compiled() -> None:
    """Let JAX keep what it compiles from one command to the next, unless the environment says otherwise.

    A folder for each machine: what is compiled for one processor can crash another that shares the home directory.
    """
    import platformdirs

    folder = platformdirs.user_cache_path("leakyflow", appauthor=False) / (platform.node() or "here")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def show_version(wanted: bool) -> bool:
    """Print the version and end, if that is wanted."""
    if wanted:
        out.print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show the version.")
    ] = False,
) -> None:
    """Bayesian inference of leaky integrate-and-fire neurons from current-clamp recordings."""


@app.command(epilog=examples("run", "run --out runs/another --seed 2"))
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

    from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
    from leakyflow.training.config import load_config
    from leakyflow.training.run import CONFIG

    config = load_config("quick")
    config = replace(config, training=replace(config.training, seed=seed))
    with resumable(f"leakyflow run --out {folder} --seed {seed}"):
        start_run(config, folder, resume=(folder / CONFIG).is_file())
        train_in(folder, config, None)
        suite = Suite(folder, folder / DIAGNOSTICS, only=("convergence", "raw"), progress=out.is_terminal)
        do_checks(suite)
        show_recovery(suite.out)
        show_checks(suite.finished())
        infer_held_out(suite, folder)
    out.print("\nA recording of your own needs no training, for the network of real cells ships:")
    out.print("  leakyflow infer FILE")


@app.command(
    epilog=examples(
        "simulate --config standard --out data/standard.zarr",
        "simulate --config my.toml --n 1000 --seed 7 --out data/mine.zarr",
    )
)
def simulate(
    config: ConfigOption,
    folder: Annotated[Path, typer.Option("--out", help="Zarr folder to write.")],
    n: Annotated[int | None, typer.Option(min=1, help="Recordings.  \\[default: as configured]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the dataset.  \\[default: as configured]")] = None,
) -> None:
    """Simulate a dataset. Interrupted, the same command continues to the same bits."""
    from leakyflow.training.config import load_config

    settings = load_config(config)
    n = settings.training.n_simulations if n is None else n
    seed = settings.training.seed if seed is None else seed
    with resumable(f"leakyflow simulate --config {config} --n {n} --seed {seed} --out {folder}"):
        simulate_to(folder, settings, n, seed)


@app.command(
    epilog=examples(
        "train --config recording --out runs/recording",
        "train --config my.toml --dataset data/mine.zarr --out runs/mine",
        "train --resume --out runs/recording",
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
    again = ("" if dataset is None else f" --dataset {dataset}") + (" --tensorboard" if tensorboard else "")
    with resumable(f"leakyflow train --resume --out {folder}{again}"):
        start_run(settings, folder, resume=resume)
        train_in(folder, settings, dataset, tensorboard)
    out.print(f"Use it:  leakyflow infer FILE --network {folder}", soft_wrap=True)


@app.command(
    epilog=examples("diagnose runs/mine", "diagnose runs/mine --n 5000 --seed 1 --out more", "diagnose recording")
)
def diagnose(
    network: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a run, finished or not, or name of a network that ships.")
    ],
    n: Annotated[int, typer.Option(min=100, help="Held-out simulations.")] = 1000,
    seed: SeedOption = 0,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for numbers and figures.  \\[default: diagnostics, in RUN if a folder]"),
    ] = None,
) -> None:
    """Check a network on simulations that it has not seen: numbers, figures, and a table of verdicts.

    Interrupted, the same command continues. Ends with status 1 where a check fails.
    """
    from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
    from leakyflow.training.run import trained

    place = results_of(network) / DIAGNOSTICS if to is None else to
    suite = Suite(trained(network), place, n=n, seed=seed, progress=out.is_terminal)
    again = "" if to is None else f" --out {to}"
    with resumable(f"leakyflow diagnose {network} --n {n} --seed {seed}{again}"):
        do_checks(suite)
    found = suite.finished()
    show_checks(found)
    show_files(suite.out, sorted(path.name for path in suite.out.iterdir() if path.suffix in (".csv", ".json", ".png")))
    if any(check.passed is False for part in found.values() for check in part):
        raise typer.Exit(UNSOUND)


@app.command(
    epilog=examples(
        "infer cell.abf --sweep 3 --start 900 --stop 1700",
        "infer cell.nwb --sweep 3 --sweep 4 --out results",
        "infer cell_v.ibw --current cell_i.ibw --network my_run --report",
    )
)
def infer(
    file: FileArgument,
    sweep: Annotated[list[int] | None, typer.Option(help="Number of the sweep, from 0; repeat for more.")] = None,
    channel: ChannelOption = None,
    current: CurrentOption = None,
    start: Annotated[float | None, typer.Option(help="Begin of the window, in ms, with the cell at rest.")] = None,
    stop: Annotated[float | None, typer.Option(help="End of the window, in ms.")] = None,
    t_ref: Annotated[float | None, typer.Option(help="Refractory period, in ms.  \\[default: from spikes]")] = None,
    network: Annotated[
        str, typer.Option(help="Folder of a run, or a network that ships: recording (real cells), standard.")
    ] = DEFAULT_NETWORK,
    draws: Annotated[int, typer.Option(min=100, help="Posterior draws.")] = 1000,
    raw: Annotated[bool, typer.Option("--raw", help="Leave the network's draws uncorrected.")] = False,
    seed: SeedOption = 0,
    folder: Annotated[Path, typer.Option("--out", help="Folder for figures and draws.")] = Path("posteriors"),
    report: Annotated[bool, typer.Option("--report", help="Write a page to read, too (HTML).")] = False,
) -> None:
    """Infer the neuron behind a recording: a table, a figure (PNG, SVG) and draws (NetCDF, by ArviZ)."""
    from functools import partial

    from leakyflow.recordings.read import list_sweeps, read_recording
    from leakyflow.training.run import load_posterior

    read = partial(read_recording, file, channel=channel, current=current, start=start, stop=stop, t_ref=t_ref)
    sweeps = list(dict.fromkeys(sweep)) if sweep else [None]
    with naming_options():
        # Before the network, which takes seconds to load: what is wrong with the file is said at once.
        recordings = [read(sweep=number) for number in sweeps]
        described = list_sweeps(file, channel=channel, current=current)
        posterior = load_posterior(network)
        if any(recording.dt != posterior.dt for recording in recordings):
            recordings = [read(sweep=number, dt=posterior.dt) for number in sweeps]
        typicality = load_typicality(posterior)
        correct: bool | Literal["auto"] = False if raw else "auto"
        sampled = [posterior.sample(recording, n_draws=draws, seed=seed, correct=correct) for recording in recordings]
    with writing_into(folder) as scratch:
        for number, recording, values in zip(sweeps, recordings, sampled, strict=True):
            show_recording(recording, described[number or 0])
            verdict = typicality.check(recording)
            show_verdict(verdict)
            name = file.stem if number is None else f"{file.stem}_sweep{number}"
            predictive = show_posterior(recording, values, posterior, scratch, name, seed)
            if report:
                from leakyflow.report.recording import recording_page

                command = infer_command(
                    file,
                    sweep=number,
                    channel=channel,
                    current=current,
                    start=start,
                    stop=stop,
                    t_ref=t_ref,
                    network=network,
                    draws=draws,
                    raw=raw,
                    seed=seed,
                )
                page = recording_page(
                    recording,
                    values,
                    posterior,
                    verdict,
                    seed=seed,
                    command=command,
                    source=channels(described[number or 0]),
                    predictive=predictive,
                )
                page.write_html(scratch / f"{name}.html")
    for name in [file.stem if number is None else f"{file.stem}_sweep{number}" for number in sweeps]:
        show_files(folder, [f"{name}.png", f"{name}.svg", f"{name}.nc", *([f"{name}.html"] if report else [])])


def infer_command(file: Path, **options: object) -> str:
    """The command that gives the same page for one sweep."""
    words = ["leakyflow", "infer", str(file)]
    for name, value in options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += ["--" + name.replace("_", "-"), f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, "--report"])


@app.command(
    epilog=examples("report runs/recording", "report runs/recording --out pages --diagnostics more_checks"),
)
def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a finished run, or name of a network that ships.")
    ],
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the pages.  \\[default: RUN, if a folder]")
    ] = None,
    diagnostics: Annotated[
        Path | None, typer.Option(help="From `leakyflow diagnose`.  \\[default: diagnostics, in RUN if a folder]")
    ] = None,
) -> None:
    """Write the page of a run, as HTML and PDF: settings, network, training, and everything that was checked."""
    from leakyflow.diagnostics.suite import DIAGNOSTICS
    from leakyflow.report.run import run_page

    to = results_of(run) if folder is None else folder
    with timed(f"Reading {run}"):
        page = run_page(run, results_of(run) / DIAGNOSTICS if diagnostics is None else diagnostics)
    with timed("Writing the pages"), writing_into(to) as scratch:
        page.write_html(scratch / "report.html")
        page.write_pdf(scratch / "report.pdf")
    show_files(to, ["report.html", "report.pdf"])


@app.command(epilog=examples("presets"))
def presets() -> None:
    """List the presets, and what each is for."""
    from leakyflow.training.config import load_config
    from leakyflow.training.config import presets as names

    table = new_table("preset", "for", "inferred")
    for name in names():
        config = load_config(name)
        shortest, longest = config.simulator.duration
        training = f"{config.training.n_simulations:,} simulations, {config.training.epochs} epochs"
        purpose = f"{PURPOSES[name]}\n[dim]{shortest:g} to {longest:g} ms; {training}[/dim]"
        table.add_row(name, purpose, ", ".join(config.simulator.parameters.inferred))
    out.print(table)


@app.command(epilog=examples("sweeps cell.abf", "sweeps cell.abf --current command"))
def sweeps(file: FileArgument, channel: ChannelOption = None, current: CurrentOption = None) -> None:
    """List the sweeps of a file: length, voltage, current and spikes of each."""
    from leakyflow.recordings.read import list_sweeps

    with naming_options():
        found = list_sweeps(file, channel=channel, current=current)
    table = new_table(right=("sweep", "length ms", "dt ms", "V mV", "I pA", "spikes"))
    for sweep in found:
        table.add_row(
            str(sweep.index),
            f"{sweep.duration:g}",
            f"{sweep.dt:g}",
            "{:.0f} to {:.0f}".format(*sweep.V_range),
            "{:.0f} to {:.0f}".format(*sweep.I_range),
            str(sweep.n_spikes),
        )
    out.print(f"{file.name}: {channels(found[0])}", soft_wrap=True, markup=False)
    out.print(table)


# --- errors and interruptions


@contextmanager
def one_screen() -> Iterator[None]:
    """Show an error of ours, or of the system, without its traceback, and end as a failure."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        fail(error)
    except RuntimeError as error:  # HDF5 reports a full disk so; typer ends a command so
        if isinstance(error, typer.Exit) or "unable to" not in str(error).lower():
            raise
        fail(error)
    except KeyboardInterrupt:
        err.print("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None


def fail(error: Exception) -> None:
    """Print an error on one screen and end."""
    if os.environ.get("LEAKYFLOW_TRACEBACK"):
        raise error
    text = Text(Text.from_ansi(explained(error)).plain)
    err.print(Panel(text, title="Error", title_align="left", border_style="red", box=box.ROUNDED))
    raise typer.Exit(FAILED) from None


def explained(error: Exception) -> str:
    """What to tell of an error; those of the system have only an errno and a file."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        hint = "Free some space, or pass another folder as --out." if is_about_space(error) else "Check the path."
        return f"{place}{error.strerror}. {hint}"
    if not is_ours(error):
        if missing := missing_backend():
            return missing
        return f"{error}\n\nThis was not foreseen. Set LEAKYFLOW_TRACEBACK=1 to see where it happened."
    return str(error)


def is_ours(error: BaseException) -> bool:
    """Whether an error was raised by this package, rather than by a library that it calls."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return Path(frames[-1][0].f_code.co_filename).is_relative_to(Path(__file__).parent)


def missing_backend() -> str:
    """What to say where the backend that is asked for cannot be had; nothing where it can."""
    name = os.environ["KERAS_BACKEND"]
    must = f"KERAS_BACKEND must name a backend ({', '.join(BACKENDS)}) that is installed, got {name!r}, which is"
    if name not in BACKENDS:
        return f"{must} none. Set it to one of them, or unset it to use JAX."
    if find_spec(name) is None:
        return f"{must} not installed. Run pip install 'leakyflow[{name}]', or unset KERAS_BACKEND to use JAX."
    return ""


def is_about_space(error: OSError) -> bool:
    """Whether a disk is full, a quota used up or a file too large."""
    import errno

    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def resumable(command: str) -> Iterator[None]:
    """Say how to continue when interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        err.print("\nInterrupted; what is finished is kept. Continue with:")
        err.print(f"  {command}", soft_wrap=True, markup=False)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def naming_options() -> Iterator[None]:
    """Name options where an error names the arguments of `read_recording`."""
    try:
        yield
    except (ValueError, OSError) as error:
        if getattr(error, "strerror", None) or not is_ours(error):
            raise
        raise type(error)(with_options(str(error))) from error


def with_options(message: str) -> str:
    """Turn `sweep=3` and `sweep` in backticks into the option --sweep."""
    for name, option in OPTIONS.items():
        message = re.sub(rf"\b{name}=(?=[\w'\"-])", f"{option} ", message)
        message = re.sub(rf"\b{name}=", option, message).replace(f"`{name}`", f"`{option}`")
    return message.replace("list_sweeps describes", "`leakyflow sweeps` describes")


# --- steps of the commands


def start_run(config: "Config", folder: Path, *, resume: bool) -> None:
    """Give a run its folder and settings before anything takes time; refuse the folder of another run."""
    from leakyflow.training.config import load_config
    from leakyflow.training.run import CONFIG, replacing

    path = folder / CONFIG
    if path.is_file() and not resume:
        raise ValueError(f"{folder} already holds a run. Continue it with --resume, or choose another --out.")
    if path.is_file() and load_config(path).hash != config.hash:
        raise ValueError(f"{folder} holds a run with other settings (see {path}). Choose another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        with replacing(path) as scratch:
            scratch.write_text(config.to_toml())


def share_batches() -> None:
    """Before JAX is imported: let it see a few of the cores as devices, which share each training batch."""
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(min(n_cores(), MOST_DEVICES)))


def train_in(folder: Path, config: "Config", dataset: Path | None, tensorboard: bool = False) -> "Run":
    """Simulate unless there is a dataset, and train or continue."""
    from leakyflow.simulator.dataset import open_dataset

    n = config.training.n_simulations
    data = simulate_to(folder / DATASET, config, n, config.training.seed) if dataset is None else open_dataset(dataset)
    with timed(f"Training {config.training.epochs} epochs") as note:
        from leakyflow.training.fit import train as fit

        run = fit(config, data, out=folder, resume=True, progress=out.is_terminal, tensorboard=tensorboard)
        best = min(run.history, key=lambda row: row["val_loss"])
        note.append(f"best validation loss {best['val_loss']:.3f} at epoch {best['epoch']:g} of {len(run.history)}")
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


def results_of(network: str) -> Path:
    """Where results about a network belong: with its run, or here, where it ships with the package."""
    from leakyflow.training.run import trained

    folder = trained(network)
    return folder if folder == Path(network) else Path()


def do_checks(suite: "Suite") -> None:
    """Do what is left of the diagnostics of a network."""
    for part, work in suite.remaining():
        with timed(f"{part.title} ({suite.n:,} held-out simulations)" if part.held_out else part.title):
            work()


def load_typicality(posterior: "Posterior") -> "Typicality":
    """Load what is typical to a network, or simulate it."""
    from leakyflow.diagnostics.typicality import TYPICALITY, typicality_of

    if posterior.folder is not None and (posterior.folder / TYPICALITY).is_file():
        return typicality_of(posterior)
    with timed("Simulating what is typical to this network"):
        return typicality_of(posterior)


def show_verdict(verdict: "Verdict") -> None:
    """Say first whether the network can know such a recording."""
    if verdict.typical:
        out.print(verdict.note, markup=False)
        return
    note = verdict.note.replace("[", r"\[")
    out.print(f"[yellow]{note} Mistrust what follows.[/yellow]")


def infer_held_out(suite: "Suite", folder: Path) -> None:
    """Infer the first held-out recording with a few spikes, whose parameters are known."""
    import numpy as np

    from leakyflow.recordings.export import save_recording
    from leakyflow.simulator.parameters import Parameters

    recordings = suite.held_out.recordings()
    n_spikes = recordings.n_spikes
    row = int(np.argmax((n_spikes >= 3) & (n_spikes <= 10)))
    recording = recordings[row]
    truth = Parameters(*(float(np.asarray(value)[row]) for value in suite.held_out.parameters()))
    draws = suite.posterior.sample(recording, n_draws=1000, seed=0)
    out.print(f"\nOne held-out recording of {recording.duration:g} ms with {n_spikes[row]} spikes:")
    show_verdict(load_typicality(suite.posterior).check(recording))
    with writing_into(folder) as scratch:
        save_recording(recording, scratch / "held_out.npz")
        show_posterior(recording, draws, suite.posterior, scratch, "held_out", 0, truth)
    show_files(folder, ["held_out.npz", "held_out.png", "held_out.svg", "held_out.nc"])


def show_posterior(
    recording: "Recording",
    draws: "Draws",
    posterior: "Posterior",
    folder: Path,
    name: str,
    seed: int,
    truth: "Parameters | None" = None,
) -> "Predictive":
    """Print the table of a posterior; write its figure and draws into a folder; give what it predicts."""
    from leakyflow.diagnostics.plots import plot_recording_posterior, save_figure
    from leakyflow.diagnostics.predictive import posterior_predictive

    out.print(posterior_table(draws.summary(), truth))
    out.print(correction_verdict(draws))
    predictive = posterior_predictive(recording, draws, posterior.prior, seed=seed)
    check = predictive.check(recording)
    out.print(
        f"Posterior predictive: {100 * check.share_inside:.0f} % of V lies in the 90 % band; "
        f"{check.n_spikes} spikes, {check.n_spikes_low} to {check.n_spikes_high} predicted."
    )
    out.print(features_verdict(predictive.p_values(recording)))
    if not check.reproduced:
        out.print(
            "[yellow]The model does not reproduce this recording: read its parameters with care, and look at "
            "the figure.[/yellow]"
        )
    figure = plot_recording_posterior(recording, predictive, draws, posterior.prior, truth=truth)
    for suffix in (".png", ".svg"):
        save_figure(figure, folder / f"{name}{suffix}")
        figure.set_layout_engine(None)  # to lay it out takes as long as to draw it, and is done
    data = draws.to_arviz()
    data["posterior"].attrs |= {"recording": recording.name, "seed": seed, "leakyflow": __version__}
    claim(folder / f"{name}.nc", n_bytes=2 * draws.array.nbytes + HDF5_OVERHEAD)
    data.to_netcdf(str(folder / f"{name}.nc"))
    return predictive


def correction_verdict(draws: "Draws") -> str:
    """How the draws of one recording were made and whether to believe them, in a line."""
    assert draws.diagnostics is not None
    row = draws.diagnostics.iloc[0]
    checked = f"{100 * row.efficiency:.0f} % efficient, k-hat {row.k_hat:.2f}"
    if row.method == "importance":
        return f"Corrected by the exact likelihood: the network's draws were {checked}."
    if row.method == "uncorrected" and row.reliable is None:
        return "Uncorrected draws of the network" + (f": {row.note}." if row.note else ".")
    text = f"The network's draws were {checked}: {row.note}"
    if row.method == "SMC":
        text += f" (R-hat {row.r_hat:.3f}, acceptance {row.acceptance:.2f})"
    return f"{text}." if row.reliable else f"[yellow]{text}. Do not believe these draws.[/yellow]"


def features_verdict(p_values: "dict[str, float]") -> str:
    """The named features that are unlike what the posterior predicts, or else the one least like it, in a line."""
    from leakyflow.diagnostics.predictive import FEATURES, SMALL

    ranked = sorted(p_values.items(), key=lambda item: item[1])
    said = [f"{FEATURES[name].split(' [')[0]} (p = {p:.2g})" for name, p in ranked if p < SMALL or name == ranked[0][0]]
    if ranked[0][1] < SMALL:
        return f"[yellow]Unlike the predicted: {', '.join(said)}.[/yellow]"
    return f"Least like the predicted: {said[0]}."


def show_recording(recording: "Recording", sweep: "Sweep") -> None:
    """Print what was read from a file."""
    from leakyflow.reference.observed import refractory_period

    n_spikes = int(recording.spikes.sum())
    spikes = f"{n_spikes} spike{'s' if n_spikes != 1 else ''}"
    if n_spikes:
        spikes += f", refractory for {refractory_period(recording):.3g} ms"
    out.print(f"\n[bold]{recording.name}[/bold]", soft_wrap=True)
    out.print(f"{recording.duration:g} ms at dt {recording.dt:g} ms; {spikes}")
    out.print(
        f"{channels(sweep)}, here {recording.I.min():.0f} to {recording.I.max():.0f} pA", soft_wrap=True, markup=False
    )


# --- tables and files


def channels(sweep: "Sweep") -> str:
    """Where voltage and current come from."""
    return f"V from {sweep.voltage}, I from {sweep.current}"


def show_checks(finished: "dict[str, list[Check]]") -> None:
    """Print the table of verdicts."""
    table = new_table("check", right=("found", "bound"), after=("verdict",))
    for part, found in finished.items():
        table.add_row(f"[bold]{part}[/bold]")
        for check in found:
            style = VERDICT_STYLES[check.verdict]
            table.add_row(f"  {check.what}", check.found, check.bound, f"[{style}]{check.verdict}[/{style}]")
    out.print(table)


def show_recovery(folder: Path) -> None:
    """Print how well the network finds each parameter."""
    import pandas as pd

    right = ("prior SD", "RMSE", "contraction", "90 % coverage")
    table = new_table("parameter", "unit", right=right, after=("verdict",))
    for name, row in pd.read_csv(folder / "recovery_raw.csv", index_col="parameter").iterrows():
        table.add_row(
            str(name),
            row.unit,
            f"{row.prior_sd:.3g}",
            f"{row.rmse:.3g}",
            f"{row.contraction:.3f}",
            f"{100 * row.coverage90:.1f} %",
            row.verdict,
        )
    out.print(table)


def posterior_table(summary: "pd.DataFrame", truth: "Parameters | None") -> Table:
    """Lay out a posterior for the terminal; two digits of the SD say how many are worth showing."""
    from leakyflow.reference.draws import n_decimals

    right = ("mean", "SD", "5 %", "95 %") if truth is None else ("true", "mean", "SD", "5 %", "95 %")
    table = new_table("parameter", right=right, after=("unit",))
    for name, row in summary.iterrows():
        true = [] if truth is None else [getattr(truth, str(name))]
        numbers = [*true, row["mean"], row["sd"], row["q05"], row["q95"]]
        n = n_decimals(row["sd"])
        table.add_row(str(name), *(f"{number:.{n}f}" for number in numbers), row["unit"])
    return table


def new_table(*left: str, right: Sequence[str] = (), after: Sequence[str] = ()) -> Table:
    """Start a table with columns of text, of numbers, and of text again."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    for name in after:
        table.add_column(name)
    return table


def show_files(folder: Path, names: Sequence[str]) -> None:
    """Say where files are."""
    out.print(f"Written to {folder}{os.sep}: {', '.join(names)}", soft_wrap=True, markup=False)


def claim(path: Path, n_bytes: int) -> None:
    """Make sure that a file of this size can be written: on a full disk, HDF5 takes the whole process down.

    Raises:
        OSError: If there is no room.
    """
    with path.open("wb") as file:
        file.write(bytes(n_bytes))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def timed(task: str) -> Iterator[list[str]]:
    """Print what begins and, when it ends, how long it took; notes put into the list are printed with it."""
    began = time.perf_counter()
    notes: list[str] = []
    out.print(f"{task} ...")
    yield notes
    out.print("  " + "; ".join([f"{time.perf_counter() - began:.1f} s", *notes]), soft_wrap=True, markup=False)


@contextmanager
def writing_into(folder: Path) -> Iterator[Path]:
    """Give a folder to write to beside the real one; its files move over once all of them are whole."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    scratch = folder / f".new.{os.getpid()}"
    scratch.mkdir(parents=True)
    try:
        yield scratch
        for path in sorted(scratch.iterdir()):
            path.replace(folder / path.name)
    except BaseException:
        shutil.rmtree(scratch)
        for path in made:
            path.rmdir()
        raise
    scratch.rmdir()
