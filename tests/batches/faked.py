"""A network that answers at once, and files that do as their names say."""

import os
import time
from hashlib import sha256
from pathlib import Path

import numpy as np

from leakyflow.batches.one import Found, Judge
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws


def infer(path: Path, settings, judge, *, seed: int) -> Found:
    """What `infer_file` would give, from the seed alone."""
    if "bad" in path.name:
        raise LeakyflowError(f"{path.name} must be a recording.")
    if "odd" in path.name:
        raise ZeroDivisionError("division by zero")
    if "slow" in path.name:
        for _ in range(2000):
            time.sleep(0.01)
    if "deadly" in path.name or ("once" in path.name and not (marker := path.with_name(".died")).exists()):
        if "once" in path.name:
            marker.touch()
        os.kill(os.getpid(), 9)
    values = np.random.default_rng(seed).uniform(10.0, 20.0, (settings.n_draws, 1))
    row = {"cell": path.stem, "n_sweeps": 1, "n_spikes": np.int64(3), "p_typical": 0.2, "typical": True}
    row |= {"kind": "exact", "eps_V": 0.9, "spikes_missed": 0.1, "coverage": 0.9, "verdict": "Typical."}
    row |= {"k_hat": np.nan, "tau_mean": float(values.mean()), "tau_sd": float(values.std())}
    return Found(row, Draws(("tau",), values, source="fake", dt=0.2), f"<svg><title>{path.stem}</title></svg>\n")


def install(patch=setattr) -> None:
    """Put it in place of the real one."""
    import leakyflow.batches.batch
    import leakyflow.batches.shard

    patch(leakyflow.batches.shard, "infer_file", infer)
    patch(leakyflow.batches.shard, "judge", lambda network, network_hash: Judge(None, None))
    patch(leakyflow.batches.batch, "judge", lambda network, network_hash: Judge(None, None))


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_text(f"content of {name}")
    return path


def hashes(out: Path) -> dict[str, str]:
    """Of all results but the manifest, which names the folder."""
    paths = [path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix not in (".html", ".json")]
    paths += sorted(out.rglob("rows.json"))
    return {path.relative_to(out).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}
