"""What is typical to a network, in a file: arrays whose form is checked before anything is computed from them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from jaxtyping import Int, UInt8

from leakyflow.diagnostics.checks import CHECKS
from leakyflow.diagnostics.cloud import PARTS, Cloud
from leakyflow.diagnostics.features import N_CHECKED, N_NAMED
from leakyflow.diagnostics.scale import NORMAL, Scale
from leakyflow.diagnostics.sets import N_AXES, N_FREQUENCIES, Sets
from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing
from leakyflow.models.posterior import Posterior
from leakyflow.models.statistics import STATISTICS
from leakyflow.revision import revisions
from leakyflow.schema import Spec, load_arrays

__all__ = ["read_typicality", "write_typicality"]

MOST_EDGES = 2  # between strata
CURE = "Delete it: it is made anew where it is needed."


def write_typicality(
    path: Path, posterior: Posterior, edges: Int[np.ndarray, " edge"], clouds: Sequence[Cloud], sets: Sets
) -> None:
    """Write an NPZ file.

    Args:
        path: Of the file.
        posterior: By whose network recordings are seen.
        edges: As in `Typicality`, as the next ones.
        clouds: What is typical in each stratum.
        sets: What is typical of sets.

    Raises:
        OSError: If it cannot be written.
    """
    arrays: dict[str, Any] = {"fingerprint": _fingerprint(posterior), "edges": edges}
    parts: dict[str, Any] = {"sets": sets, **{f"cloud{i}": cloud for i, cloud in enumerate(clouds)}}
    for name, part in parts.items():
        for field, value in part._asdict().items():
            arrays[f"{name}.{field}"] = value.quantiles if isinstance(value, Scale) else value
    with replacing(path) as scratch:
        np.savez_compressed(scratch, **arrays)


def read_typicality(path: Path, posterior: Posterior) -> tuple[Int[np.ndarray, " edge"], list[Cloud], Sets]:
    """Read what was written: edges, clouds and sets.

    Args:
        path: Of the file.
        posterior: By the same network.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of another network, or by other formulas.
    """
    n_features, edges = _read_head(path, posterior)
    arrays = load_arrays(path, _specs(n_features, len(edges) + 1), cure=CURE)
    _check_simulations(arrays)
    return edges, [_part(Cloud, arrays, f"cloud{i}") for i in range(len(edges) + 1)], _part(Sets, arrays, "sets")


def _read_head(path: Path, posterior: Posterior) -> tuple[int, Int[np.ndarray, " edge"]]:
    """Number of features, and edges of the strata, of a file that is about this network."""
    scale = Spec(np.float32, (None, len(NORMAL)))
    head = {"fingerprint": Spec(np.uint8, (32,)), "edges": Spec(np.int64, (None,)), "sets.scale": scale}
    found = load_arrays(path, head, cure=CURE)
    if not np.array_equal(found["fingerprint"], _fingerprint(posterior)):
        raise LeakyflowError("it is of another network or version.")
    edges, n_features = found["edges"], len(found["sets.scale"])
    if len(edges) > MOST_EDGES or (np.diff(edges, prepend=0) < 1).any():
        raise LeakyflowError(f"`edges` must be at most {MOST_EDGES} rising counts, got {len(edges)} numbers. {CURE}")
    if n_features <= N_NAMED:
        raise LeakyflowError(f"`sets.scale` must hold more than {N_NAMED} features, got {n_features}. {CURE}")
    return n_features, edges


def _specs(n_features: int, n_clouds: int) -> dict[str, Spec]:
    """What a file must hold."""
    scale, n_points, n_learned = (n_features, len(NORMAL)), N_CHECKED + N_AXES, n_features - N_NAMED
    shapes: dict[str, tuple[int | None, ...]] = {
        "sets.scale": scale,
        "sets.axes": (n_features - N_CHECKED, N_AXES),
        "sets.share": (N_AXES,),
        "sets.frequencies": (n_points, N_FREQUENCIES),
        "sets.mean": (2 * N_FREQUENCIES + n_points,),
    }
    for i in range(n_clouds):
        shapes |= {f"cloud{i}.scale": scale, f"cloud{i}.parts": (len(PARTS), len(NORMAL))}
        shapes |= {f"cloud{i}.relations": (N_NAMED, N_NAMED), f"cloud{i}.learned": (n_learned, n_learned)}
        shapes |= {f"cloud{i}.calibration": (None,)}
    return {name: Spec(np.float32, shape) for name, shape in shapes.items()} | {
        "sets.simulations": Spec(np.float16, (None, n_points))
    }


def _check_simulations(arrays: dict[str, np.ndarray]) -> None:
    """Refuse files without simulations to compare with, or with scores that do not rise."""
    for name, values in arrays.items():
        counted = name.endswith((".calibration", ".simulations"))
        if counted and (not len(values) or (values.ndim == 1 and (np.diff(values) < 0).any())):
            raise LeakyflowError(f"`{name}` must hold the simulations, scores rising, got {len(values)}. {CURE}")


def _part(of: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    values = {field: arrays[f"{name}.{field}"] for field in of._fields}
    scales = {field for field, hint in of.__annotations__.items() if hint is Scale}
    return of(**{field: Scale(value) if field in scales else value for field, value in values.items()})


def _fingerprint(posterior: Posterior) -> UInt8[np.ndarray, " byte"]:
    """Of the weights, of the names of all features, and of the formulas behind them."""
    digest = hashlib.sha256("".join([*CHECKS, *STATISTICS]).encode())
    digest.update(json.dumps(revisions("typicality")).encode())
    for weight in posterior.network.approximator.summary_network.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
