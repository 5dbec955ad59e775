"""A dataset on disk: a folder of Zarr arrays with a header, whose form is checked before anything is read from it."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.files import creating
from leakyflow.revision import outdated, revisions
from leakyflow.schema import LARGEST, check_finite, reading
from leakyflow.simulator.cells import Plan, draw_cells
from leakyflow.simulator.config import SimulatorConfig

if TYPE_CHECKING:
    import zarr

__all__ = ["TRACES", "Header", "array_of", "check_complete", "create", "open_group", "read", "sweep_partial"]

TRACES = {"V": np.float32, "I": np.float32, "spikes": np.bool_, "refractory": np.bool_}
MOST = 2**31  # recordings, the list of whose chunks still fits into memory
DIGEST = "digest"  # attribute of the folder
CURE = "Delete the folder and simulate again."


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class Header:
    """What a dataset was drawn from, and by which formulas.

    Attributes:
        simulator: Prior, stimuli, durations and sampling interval.
        seed: Of everything random.
        n: Recordings, or cells where there are protocols.
        chunk: Recordings that are written together.
        format: Of the folder.
        revisions: Of the formulas.
    """

    simulator: SimulatorConfig
    seed: int = Field(ge=0, lt=2**63, strict=True)
    n: int = Field(ge=1, le=MOST, strict=True)
    chunk: int = Field(ge=1, le=MOST, strict=True)
    format: Literal[2] = 2
    revisions: dict[str, int] = Field(default_factory=lambda: revisions("dataset"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that vary, a column each."""
        return tuple(self.simulator.prior.root)

    @property
    def n_chunks(self) -> int:
        """Blocks of recordings that are written together."""
        return -(-self.n_rows // self.chunk)

    @cached_property
    def plan(self) -> Plan | None:
        """Which rows belong to which cell; None where each row is a recording of its own."""
        return draw_cells(self.simulator, self.n, self.seed) if self.simulator.protocols else None

    @property
    def n_rows(self) -> int:
        """Recordings, or sweeps of all cells."""
        return self.n if self.plan is None else int(self.plan.n_sweeps.sum())

    @property
    def layout(self) -> dict[str, "Layout"]:
        """What each array must be."""
        n, n_time, n_columns = self.n_rows, self.simulator.n_time, len(self.parameters)
        rows = min(n, self.chunk)
        traces = {name: Layout(dtype, (n, n_time), (rows, n_time)) for name, dtype in TRACES.items()}
        cells = {} if self.plan is None else {"cell": Layout(np.int32, (n,), (rows,))}
        return (
            traces
            | cells
            | {
                "n_samples": Layout(np.int32, (n,), (rows,)),
                "stimulus": Layout(np.int32, (n,), (rows,)),
                "parameters": Layout(np.float64, (n, n_columns), (rows, n_columns)),
                "done": Layout(np.bool_, (self.n_chunks,), (1,)),
            }
        )


class Layout(NamedTuple):
    """An array of the folder."""

    dtype: Any
    shape: tuple[int, ...]
    chunks: tuple[int, ...]


def create(path: Path | None, header: Header) -> "zarr.Group":
    """Make the arrays, empty, in a folder or in memory.

    Args:
        path: Folder that is not there yet, or None.
        header: What they will hold.

    Raises:
        ValueError: If one block of recordings needs more than 2 GiB.
        OSError: If it cannot be written.
    """
    n_bytes = max(
        int(np.prod(one.chunks, dtype=object)) * np.dtype(one.dtype).itemsize for one in header.layout.values()
    )
    if n_bytes > LARGEST:
        raise LeakyflowError(
            f"{header.layout['V'].chunks[0]} recordings together must need at most {LARGEST:,} bytes, got {n_bytes:,}. "
            "Shorten `duration`, or raise `dt`."
        )
    if path is None:
        return _arrays({}, header)
    try:
        with creating(path) as scratch:
            _arrays(str(scratch), header)
    except OSError:
        if not path.exists():  # by another process, meanwhile: whether it is the same dataset is seen next
            raise
    return open_group(path, mode="r+")[1]


def _arrays(store: Any, header: Header) -> "zarr.Group":
    import zarr  # not above: inference needs no dataset
    from zarr.codecs import BloscCodec, Crc32cCodec

    group = zarr.create_group(store=store)
    for name, layout in header.layout.items():
        group.create_array(
            name,
            shape=layout.shape,
            chunks=layout.chunks,
            dtype=layout.dtype,
            # In a third of the time of zstd, and smaller; the sum, so that no damaged block is taken for a whole one.
            compressors=[
                BloscCodec(cname="lz4", clevel=1, shuffle="shuffle", typesize=np.dtype(layout.dtype).itemsize),
                Crc32cCodec(),
            ],
            config={"write_empty_chunks": True},  # so that a missing one is not taken for zeros
        )
    attributes = TypeAdapter(Header).dump_python(header, mode="json", exclude_none=True)
    group.attrs.update(attributes | {DIGEST: _digest(attributes)})
    return group


def _digest(attributes: dict[str, Any]) -> str:
    """Of the header, so that no changed seed or prior is taken for that of the recordings."""
    return hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()[:16]


def open_group(path: Path, mode: Literal["r", "r+"]) -> tuple[Header, "zarr.Group"]:
    """Open a folder, finished or not, and check its form.

    Raises:
        ValueError: If it is not a dataset, of another version, made by other formulas, or damaged.
    """
    group, found, names = _opened(path, mode)
    if found.get("format") != Header.format:
        raise _stranger(path)
    if differing := outdated("dataset", found.get("revisions")):
        raise LeakyflowError(f"{path} was simulated by other formulas than this version's: {differing}. {CURE}")
    written = found.pop(DIGEST, None)
    try:
        header = TypeAdapter(Header).validate_python(found)
    except ValidationError as error:
        raise _stranger(path) from error
    if written is not None and written != _digest(found):  # datasets of before had none
        raise LeakyflowError(f"{path}: its header is not as it was written. {CURE}")
    if names != set(header.layout):
        raise _stranger(path)
    for name in header.layout:
        array_of(path, header, group, name)
    return header, group


def _opened(path: Path, mode: Literal["r", "r+"]) -> tuple["zarr.Group", dict[str, Any], set[str]]:
    import zarr

    try:
        if not path.is_dir():
            raise NotADirectoryError(str(path))
        with reading(path, "its header", CURE):
            group = zarr.open_group(str(path), mode=mode)
            return group, dict(group.attrs), set(group.array_keys())
    except (LeakyflowError, FileNotFoundError, NotADirectoryError) as error:
        raise _stranger(path) from error


def _stranger(path: Path) -> LeakyflowError:
    return LeakyflowError(
        f"{path} is not a leakyflow dataset of this version. Choose another folder, or make one with "
        "`leakyflow simulate`."
    )


def array_of(path: Path | None, header: Header, group: "zarr.Group", name: str) -> "zarr.Array":
    """One of the arrays, refused where it is not what the header says.

    Raises:
        ValueError: If its type, shape or chunks are others.
    """
    import zarr

    wanted = header.layout[name]
    with reading(_place(path), f"`{name}`", CURE):
        array = group[name]
        found = Layout(array.dtype, array.shape, array.chunks) if isinstance(array, zarr.Array) else None
    if found is None or found != wanted._replace(dtype=np.dtype(wanted.dtype)):
        raise LeakyflowError(
            f"{path}: `{name}` must hold {np.dtype(wanted.dtype)} of shape {wanted.shape} in chunks of "
            f"{wanted.chunks}, got {'no array' if found is None else found}. {CURE}"
        )
    return cast("zarr.Array", array)


def read(path: Path | None, header: Header, group: "zarr.Group", name: str, rows: slice) -> np.ndarray:
    """Some rows of an array, on the way from the disk.

    Raises:
        ValueError: If the block that holds them is damaged, or its numbers cannot be.
    """
    array, place = array_of(path, header, group, name), _place(path)
    with reading(place, f"`{name}` of {rows.start or 0} to {rows.stop or header.n_rows}", CURE):
        values = np.asarray(array[rows])
    check_finite(place, name, values, cure=CURE)
    least, most = {"n_samples": (1, header.simulator.n_time), "stimulus": (0, len(header.simulator.kinds) - 1)}.get(
        name, (None, None)
    )
    if least is not None and len(values) and not least <= values.min() <= values.max() <= most:
        raise LeakyflowError(
            f"{place}: `{name}` must lie from {least} to {most}, got {values.min()} to {values.max()}. {CURE}"
        )
    return values


def check_complete(path: Path, header: Header, group: "zarr.Group") -> None:
    """Refuse a finished dataset of which a file was lost: Zarr would read zeros in its place.

    Raises:
        ValueError: If one is missing.
    """
    for name in header.layout:
        array = array_of(path, header, group, name)
        with reading(path, f"the list of files of `{name}`", CURE):
            missing = array.nchunks - array.nchunks_initialized
        if missing:
            raise LeakyflowError(f"{path}: `{name}` lacks {missing} of its {array.nchunks} files. {CURE}")


def sweep_partial(path: Path) -> None:
    """Remove the blocks that a killed process of Zarr was just writing; call where no other process is at it."""
    for partial in path.rglob("*.partial"):
        partial.unlink(missing_ok=True)


def _place(path: Path | None) -> str:
    return "The dataset in memory" if path is None else str(path)
