"""Few points for many samples, such that no peak is lost."""

import numpy as np
from jaxtyping import Float, Int

__all__ = ["decimated"]


def decimated(
    x: Float[np.ndarray, " time"],
    first: int,
    last: int,
    *,
    n_points: int,
    keep: Int[np.ndarray, " peak"] | None = None,
) -> Int[np.ndarray, " point"]:
    """Samples to draw of a stretch: the least and the greatest of each of equal parts, and those that must be seen.

    What is drawn has the same envelope as all samples, as long as a part is no wider than a pixel.

    Args:
        x: All samples; NaN is a gap.
        first: Of the stretch.
        last: Behind the stretch.
        n_points: About how many to draw; a shorter stretch is drawn whole.
        keep: Samples that are drawn in any case, such as the peaks of spikes.

    Returns:
        Numbers of samples, in order, each once.

    Example:
        >>> x = np.zeros(1000)
        >>> x[501] = 40.0
        >>> drawn = decimated(x, 0, 1000, n_points=20)
        >>> len(drawn) <= 22, 501 in drawn
        (True, True)
    """
    first, last = max(first, 0), min(last, len(x))
    if last - first <= n_points:
        return np.arange(first, max(first, last))
    size = -(-(last - first) // max(n_points // 2, 1))
    starts = np.arange(first, last, size)
    whole = first + (last - first) // size * size
    parts = x[first:whole].reshape(-1, size)
    low = np.where(np.isnan(parts), np.inf, parts).argmin(axis=1)
    high = np.where(np.isnan(parts), -np.inf, parts).argmax(axis=1)
    found = [starts[: len(parts)] + low, starts[: len(parts)] + high, [first, last - 1]]
    if whole < last:
        rest = x[whole:last]
        found.append([whole + int(np.where(np.isnan(rest), np.inf, rest).argmin())])
        found.append([whole + int(np.where(np.isnan(rest), -np.inf, rest).argmax())])
    if keep is not None:
        found.append(keep[(keep >= first) & (keep < last)])
    return np.unique(np.concatenate(found)).astype(np.int64)
