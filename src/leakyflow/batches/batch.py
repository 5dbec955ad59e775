"""Infer the neurons behind many files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from leakyflow.batches.collect import collect, rows_of
from leakyflow.batches.engine import make_shards
from leakyflow.batches.manifest import Manifest
from leakyflow.batches.one import judge
from leakyflow.batches.settings import Settings
from leakyflow.batches.shard import is_done, make_shard
from leakyflow.batches.shards import MANIFEST
from leakyflow.errors import LeakyflowError

__all__ = ["batch", "begin", "recordings_in", "run"]

SHARD_SIZE = 16
# What lies beside recordings and is none.
OTHER = {".md", ".json", ".png", ".svg", ".pdf", ".html", ".py", ".ipynb", ".toml", ".yaml", ".yml", ".nc", ".parquet"}


def batch(
    folder: str | Path,
    *,
    out: str | Path,
    network: str | Path = "cell",
    sweeps: Sequence[int] | None = None,
    hold_out: Sequence[int] | Literal["auto"] = "auto",
    start: float | None = None,
    stop: float | None = None,
    channel: int | str | None = None,
    current: str | None = None,
    columns: str | None = None,
    units: str | None = None,
    dt_file: float | None = None,
    step: str | None = None,
    t_ref: float | None = None,
    spike_slope: float | None = None,
    spike_height: float | None = None,
    n_draws: int = 1000,
    correct: bool = True,
    seed: int = 0,
    timeout: float = 600.0,
    shard_size: int = SHARD_SIZE,
    workers: int | None = None,
    scheduler: str | None = None,
    shard: int | None = None,
) -> pd.DataFrame:
    """Infer the neuron behind each file of a folder, and of the folders below.

    Called again after an interruption, it goes on where it stopped, and the results are the same: each depends on the
    manifest and on its place in it, not on who made it when. A file that cannot be used is a row with its error.

    Args:
        folder: Of the recordings; every file in it is one cell.
        out: Folder for the results: `cells.parquet` and `cells.csv` (a row for each cell), `index.html` to look at, and
            draws (NetCDF) and a picture (SVG) of each in `shards/`.
        network: Folder of a run, or name of a network that ships.
        sweeps: Numbers of the sweeps of each file; None takes all that hold current clamp, as one cell.
        hold_out: Numbers of the sweeps of each file that are kept back and predicted; "auto" keeps back one in five,
            where there are at least four.
        start: Beginning of the window in each sweep, in ms.
        stop: End of the window in each sweep, in ms.
        channel: As in `read_recording`.
        current: As in `read_recording`.
        columns: As in `read_recording`.
        units: As in `read_recording`.
        dt_file: As in `read_recording`.
        step: As in `read_recording`.
        t_ref: As in `read_recording`.
        spike_slope: As in `read_recording`.
        spike_height: As in `read_recording`.
        n_draws: Posterior draws of each cell.
        correct: Correct the draws by the likelihood.
        seed: The same seed gives the same draws.
        timeout: Seconds that a cell may take; then it is a row that says so.
        shard_size: Files that are worked through and written together.
        workers: Processes on this machine; None takes one for each core.
        scheduler: Address of a Dask scheduler that runs, in place of processes on this machine.
        shard: Make this shard only, in this process and without Dask, as one task of many on a cluster; the table and
            the page are made by a call without it, once all are there.

    Returns:
        A row for each file, or for each of the one shard: `file`, `status` ("ok", "failed", "late" or "died"), `error`,
        `cell`, `n_sweeps`, `n_held_out`, `n_spikes`; what the posterior is worth, as `Adequacy` says it (`kind`,
        `verdict` in words, `eps_V`, `spikes_missed`, `coverage`, `p_typical`); `method`, `k_hat`, and mean, SD and 90 %
        interval of each parameter (`tau_mean`, `tau_sd`, `tau_q05`, `tau_q95`), of several sweeps with the SD between
        them (`tau_between`).

    Raises:
        FileNotFoundError: If there is no such folder, or no such network.
        LeakyflowError: If it holds no file, `out` holds another batch, or Dask is not installed.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, membrane_noise=0.3,
        ...     V_reset=-60.0, reset_noise=5.0, t_ref=3.0)
        >>> current = lf.square(amplitude=200.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
        >>> Path("cells").mkdir()
        >>> _ = lf.save_recording(lf.simulate(neuron, current, seed=1), "cells/a.npz")
        >>> _ = Path("cells/b.csv").write_text("nothing")
        >>> table = batch("cells", out="results", network="standard", n_draws=100, shard=0)
        >>> table["file"].tolist(), table["status"].tolist()
        (['a.npz', 'b.csv'], ['ok', 'failed'])
    """
    settings = Settings(
        sweeps=None if sweeps is None else tuple(sweeps),
        hold_out="auto" if hold_out == "auto" else tuple(hold_out),
        n_draws=n_draws,
        seed=seed,
        correct=correct,
        timeout=timeout,
        channel=channel,
        current=current,
        columns=columns,
        units=units,
        dt_file=dt_file,
        step=step,
        start=start,
        stop=stop,
        t_ref=t_ref,
        spike_slope=spike_slope,
        spike_height=spike_height,
    )
    begin(Path(folder), Path(out), network=str(network), settings=settings, shard_size=shard_size, look=shard is None)
    run(Path(out), workers=workers, scheduler=scheduler, shard=shard)
    return collect(Path(out)) if shard is None else pd.DataFrame(rows_of(Path(out), shard))


def begin(
    folder: Path, out: Path, *, network: str, settings: Settings, shard_size: int = SHARD_SIZE, look: bool = True
) -> Manifest:
    """Write the manifest of a batch, or find the same one.

    Args:
        folder: Of the recordings.
        out: For the results.
        network: Folder of a run, or name of a network that ships.
        settings: What is done with each file.
        shard_size: Files in a shard.
        look: Whether files are looked at again where the batch was begun; tasks of a cluster need not.
    """
    begun = (out / MANIFEST).is_file()
    paths = recordings_in(folder, out) if look or not begun else []
    asked = Manifest.of(folder, paths, network=network, settings=settings, shard_size=shard_size)
    if not begun:
        asked.save(out)
        return asked
    found = Manifest.load(out)
    (asked if look else replace(asked, files=found.files)).check_same(found, out)
    return found


def recordings_in(folder: Path, out: Path) -> list[Path]:
    """Files that may be recordings, in the order of their names; those of the results are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder {folder}. Pass the folder of the recordings.")
    results = out.resolve()
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.suffix.lower() not in OTHER
        and not path.resolve().is_relative_to(results)
    ]
    if not found:
        raise LeakyflowError(f"{folder} holds no file that may be a recording. Pass another folder.", argument="folder")
    return found


def run(
    out: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    shard: int | None = None,
    done: Callable[[int], None] = lambda n: None,
) -> None:
    """Make the shards that are missing, or one of them.

    Args:
        out: Folder of a batch that was begun.
        workers: Processes on this machine; None takes one for each core.
        scheduler: Address of a Dask scheduler that runs.
        shard: Make this one only, in this process.
        done: Is told the number of files of each shard that is made.
    """
    manifest = Manifest.load(out)
    if shard is not None:
        done(make_shard(out, shard))
        return
    missing = [index for index in range(len(manifest.shards)) if not is_done(out, index)]
    if missing:
        judge(manifest.network, manifest.network_hash)  # what is typical is simulated once, before all workers need it
    make_shards(make_shard, out, missing, workers=workers, scheduler=scheduler, done=done)
