"""The commands that read files of a laboratory: what is in them, and which neuron is behind them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from leakyflow.cli.console import out, show_files
from leakyflow.cli.options import (
    ChannelOption,
    ColumnsOption,
    CurrentOption,
    FileArgument,
    IntervalOption,
    SeedOption,
    StepOption,
    UnitsOption,
    again,
    examples,
    group,
)
from leakyflow.cli.posteriors import channels, load_typicality, show_posterior, show_recording, show_simulations
from leakyflow.cli.tables import said_of_all, sweeps_table
from leakyflow.errors import LeakyflowError
from leakyflow.files import filling

if TYPE_CHECKING:
    from leakyflow.recordings.recording import Recording

__all__ = ["commands"]

DEFAULT_NETWORK = "lif"  # ships with the package

commands = group()


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a file leaves open."""

    channel: str | None
    current: str | None
    columns: str | None
    units: str | None
    dt_file: float | None
    step: str | None


@dataclass(frozen=True, kw_only=True)
class Window(Layout):
    """What is read of each sweep: the arguments of `read_recording` but its file and sweep."""

    start: float | None
    stop: float | None
    t_ref: float | None
    spike_slope: float | None
    spike_height: float | None

    def name(self, file: Path, sweep: int | None) -> str:
        """What results are called, so that another sweep, window or channel does not replace them."""
        words = [file.stem]
        words += [] if sweep is None else [f"sweep{sweep}"]
        words += [] if self.channel is None else ["".join(c if c.isalnum() else "-" for c in self.channel)]
        if self.start is not None or self.stop is not None:
            end = "end" if self.stop is None else f"{self.stop:g}"
            words.append(f"{0 if self.start is None else self.start:g}-{end}ms")
        return "_".join(words)


@commands.command(
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
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
    start: Annotated[float | None, typer.Option(help="Begin of the window, in ms, with the cell at rest.")] = None,
    stop: Annotated[float | None, typer.Option(help="End of the window, in ms.")] = None,
    t_ref: Annotated[float | None, typer.Option(help="Refractory period, in ms.  \\[default: from spikes]")] = None,
    spike_slope: Annotated[
        float | None, typer.Option(help="Least slope of a spike's upstroke, in mV/ms.  \\[default: adapted]")
    ] = None,
    spike_height: Annotated[
        float | None, typer.Option(help="Least height of a spike, in mV.  \\[default: adapted]")
    ] = None,
    network: Annotated[
        str, typer.Option(help="Folder of a run, or a network that ships: lif (real cells), standard.")
    ] = DEFAULT_NETWORK,
    draws: Annotated[int, typer.Option(min=100, help="Posterior draws.")] = 1000,
    amortized: Annotated[bool, typer.Option("--amortized", help="Leave the network's draws uncorrected.")] = False,
    seed: SeedOption = 0,
    folder: Annotated[Path, typer.Option("--out", help="Folder for figures and draws.")] = Path("posteriors"),
    report: Annotated[bool, typer.Option("--report", help="Write a page to read, too (HTML).")] = False,
) -> None:
    """Infer the neuron behind a recording: a table, a figure (PNG, SVG) and draws (NetCDF, by ArviZ)."""
    from leakyflow.recordings.sweeps import list_sweeps
    from leakyflow.training.run import load_posterior

    layout = Layout(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    window = Window(
        **asdict(layout), start=start, stop=stop, t_ref=t_ref, spike_slope=spike_slope, spike_height=spike_height
    )
    sweeps: list[int | None] = list(dict.fromkeys(sweep)) if sweep else [None]
    names = [window.name(file, number) for number in sweeps]
    # Before the network, which takes seconds to load: what is wrong with the file is said at once.
    recordings = read(file, sweeps, window)
    refuse_others(folder, names, file)
    described = list_sweeps(file, **asdict(layout))
    posterior = load_posterior(network)
    if any(recording.dt != posterior.dt for recording in recordings):
        recordings = read(file, sweeps, window, dt=posterior.dt)
    typicality = load_typicality(posterior)
    correct: bool | Literal["auto"] = False if amortized else "auto"
    sampled = [posterior.sample(recording, n_draws=draws, seed=seed, correct=correct) for recording in recordings]
    given = asdict(window) | {"network": network, "draws": draws, "amortized": amortized, "seed": seed}
    given["dt"] = given.pop("dt_file")  # the option is named so
    with filling(folder) as scratch:
        for number, name, recording, values in zip(sweeps, names, recordings, sampled, strict=True):
            show_recording(recording, described[number or 0])
            verdict = typicality.check(recording)
            show_simulations(verdict)
            stem = scratch / name
            predictive = show_posterior(recording, values, posterior, stem, seed=seed, source=file.resolve())
            if report:
                from leakyflow.report.recording import recording_page

                page = recording_page(
                    recording,
                    values,
                    posterior,
                    verdict,
                    seed=seed,
                    command=again("infer", file, sweep=number, **given, report=True),
                    source=channels(described[number or 0]),
                    predictive=predictive,
                )
                page.write_html(scratch / f"{name}.html")
    for name in names:
        show_files(folder, [f"{name}.png", f"{name}.svg", f"{name}.nc", *([f"{name}.html"] if report else [])])


@commands.command(epilog=examples("sweeps cell.abf", "sweeps cell.abf --current command"))
def sweeps(
    file: FileArgument,
    channel: ChannelOption = None,
    current: CurrentOption = None,
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
) -> None:
    """List the sweeps of a file: length, voltage, current and spikes of each."""
    from leakyflow.recordings.sweeps import list_sweeps

    layout = Layout(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    found = list_sweeps(file, **asdict(layout), every=True)
    out.print(f"{file.name}: {channels(found[0])}", soft_wrap=True)
    if same := said_of_all(found):
        out.print(Text(same), soft_wrap=True)
    out.print(sweeps_table(found))


def read(file: Path, sweeps: Sequence[int | None], window: Window, dt: float | None = None) -> "list[Recording]":
    """The window of each sweep."""
    from leakyflow.recordings.read import read_recording

    return [read_recording(file, sweep=number, dt=dt, **asdict(window)) for number in sweeps]


def refuse_others(folder: Path, names: Sequence[str], file: Path) -> None:
    """Refuse to replace results of another file of the same name.

    Raises:
        LeakyflowError: If there are any.
    """
    import h5py

    for path in (folder / f"{name}.nc" for name in names):
        if not path.is_file():
            continue
        with h5py.File(path) as results:
            other = results["posterior"].attrs.get("file", "an unknown file")
        if other != str(file.resolve()):
            raise LeakyflowError(f"{path} holds the posterior of {other}. Choose another folder.", argument="folder")
