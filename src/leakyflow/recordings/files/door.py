"""What every file must hold to at the door, before anything is computed from it: numbers, shapes, sizes."""

from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError

__all__ = ["MAX_BYTES", "as_numbers", "as_text", "check_size"]

MAX_BYTES = 2**31  # of one array or text: 268 million samples, two hours at 35 kHz


def check_size(n_bytes: int, *, what: str, where: str) -> None:
    """Refuse what would fill the memory before it is read.

    Raises:
        LeakyflowError: If it is larger than 2 GiB.
    """
    if not 0 <= n_bytes <= MAX_BYTES:
        raise LeakyflowError(
            f"{what} of {where} must be at most {MAX_BYTES / 2**30:g} GiB, got {n_bytes / 2**30:.3g} GiB. Cut the "
            "recording into several files; if it is not that long, the file is damaged: copy it again."
        )


def as_numbers(array: Any, *, what: str, where: str, n_dim: tuple[int, ...] = (1,)) -> np.ndarray:
    """Samples as float64, of whatever real type the file keeps them in.

    Args:
        array: What a library read.
        what: Part of the file, for the error.
        where: The file, for the error.
        n_dim: Numbers of dimensions that are allowed.

    Raises:
        LeakyflowError: If it holds text, bytes, records, complex numbers or objects, or has another shape.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or array.ndim not in n_dim:
        shapes = " or ".join(("a single number", "one-dimensional", "two-dimensional")[n] for n in n_dim)
        raise LeakyflowError(
            f"{what!r} of {where} must be {shapes} and hold real numbers, got {array.dtype} of shape {array.shape}. "
            "Write it again as an array of floats."
        )
    return array.astype(np.float64)


def as_text(value: Any, *, what: str, where: str) -> str:
    """One piece of text.

    Raises:
        LeakyflowError: If it is anything else.
    """
    array = np.asarray(value)
    if array.ndim != 0 or not isinstance(array[()], str | bytes | np.str_ | np.bytes_):
        raise LeakyflowError(
            f"{what!r} of {where} must be text, got {array.dtype} of shape {array.shape}. The file is damaged: copy it "
            "again from its source."
        )
    text = array[()]
    return text.decode("utf-8", errors="replace") if isinstance(text, bytes) else str(text)
