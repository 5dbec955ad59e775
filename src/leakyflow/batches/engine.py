"""Shards are made by Dask: on this machine, or on a cluster whose scheduler runs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from leakyflow.cpu import n_cpu
from leakyflow.errors import LeakyflowError

__all__ = ["make_shards"]

# Each worker keeps to its own core, and to the same arithmetic as any other.
WORKER = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_NUM_CPU_DEVICES": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

# On a machine that others keep busy a process is slow to start, and slow to answer: that is no failure. One that dies
# closes its connection, which is seen at once. Nor does a profiler look on: it keeps frames alive, and with them what
# they hold of an HDF5 file, whose layout depends on when that is let go.
OWN = {
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.connect": "10 minutes",
    "distributed.comm.timeouts.tcp": "10 minutes",
    "distributed.scheduler.worker-ttl": None,
}


def make_shards(
    make: Callable[[Path, int], int],
    out: Path,
    missing: Sequence[int],
    *,
    workers: int | None,
    scheduler: str | None,
    done: Callable[[int], None],
) -> None:
    """Make shards, in any order.

    Args:
        make: Makes a shard, unless it is there, from the folder and its number; gives how much it holds.
        out: Folder of the shards, which all workers reach under this name.
        missing: Numbers of the shards.
        workers: Processes on this machine; None takes one for each core, and no more than there are shards.
        scheduler: Address of a Dask scheduler that runs; then `workers` are those that it has.
        done: Is told how much each shard holds that is made.

    Raises:
        LeakyflowError: If Dask is not installed.
    """
    if not missing:
        return
    with _client(scheduler, min(workers or n_cpu(), len(missing))) as client:
        from distributed import as_completed

        futures = client.map(partial(make, out.resolve()), list(missing), pure=False, retries=3)
        for future in as_completed(futures):
            done(future.result())


@contextmanager
def _client(scheduler: str | None, n: int) -> Iterator[Any]:
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise LeakyflowError(
            "Many files are shared out by Dask, which is not installed. Run pip install 'leakyflow[cluster]', or make "
            "single shards with shard=.",
            argument="shard",
        ) from error
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    silent = 50  # logging.CRITICAL: workers that come and go are no news
    environment = WORKER | {name: os.environ[name] for name in WORKER if name in os.environ}
    with (
        dask.config.set(OWN),
        LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            processes=True,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "localhost:0"},  # any port, seen from here alone
            silence_logs=silent,
            env=environment,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
