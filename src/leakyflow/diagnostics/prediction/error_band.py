"""A band around a predicted voltage as wide as its errors, which hold the noise and all that the model lacks.

Conformal prediction (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World; Lei et al. 2018, JASA 113):
nothing is assumed of the errors but that those of another sweep are like those of the sweeps that were looked at. The
samples of a sweep are not independent, so sweeps are what is exchanged, and each counts as much as another.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from leakyflow.errors import LeakyflowError

__all__ = ["ErrorBand", "cross_validated_share"]

LEVEL = 0.9


class ErrorBand(NamedTuple):
    """Half the width of the band where the scale of the errors is 1, in mV."""

    half_width: float

    @classmethod
    def of(
        cls,
        errors: Sequence[Float[np.ndarray, " _"]],
        scales: Sequence[Float[np.ndarray, " _"]] | None = None,
        *,
        level: float = LEVEL,
    ) -> "ErrorBand":
        """Learn the width from errors of predictions.

        Args:
            errors: Recorded less predicted voltage at the samples of each sweep that count, in mV; of sweeps that took
                no part in the inference.
            scales: How large an error is expected to be at each of them, up to a factor; the same everywhere when None.
            level: Share of samples that the band is to hold.

        Raises:
            LeakyflowError: If there are no errors, or the level is no share.

        Example:
            >>> ErrorBand.of([np.arange(-10.0, 11.0)]).half_width
            9.0
        """
        if not 0 < level < 1:
            raise LeakyflowError(f"`level` must lie between 0 and 1, got {level}. 0.9 is usual.", argument="level")
        scores, weights = _scores(errors, scales)
        order = np.argsort(scores)
        reached = np.cumsum(weights[order])
        place = min(int(np.searchsorted(reached, level - 1e-9)), len(scores) - 1)
        return cls(float(scores[order][place]))


def cross_validated_share(
    errors: Sequence[Float[np.ndarray, " _"]],
    scales: Sequence[Float[np.ndarray, " _"]] | None = None,
    *,
    level: float = LEVEL,
) -> Float64[np.ndarray, " sweep"]:
    """Share of the samples of each sweep that the band of the other sweeps holds.

    Args:
        errors: As for `ErrorBand.of`; of at least two sweeps.
        scales: As for `ErrorBand.of`.
        level: As for `ErrorBand.of`.

    Returns:
        NaN where the sweep, or all others, have no sample.

    Raises:
        LeakyflowError: If there is one sweep only.

    Example:
        >>> small = np.linspace(-1.0, 1.0, 2001)
        >>> cross_validated_share([small, 2.0 * small])
        array([1.  , 0.45...])
    """
    if len(errors) < 2:
        raise LeakyflowError(f"The band of other sweeps needs at least two sweeps, got {len(errors)}.")
    known = [np.ones(len(own)) for own in errors] if scales is None else list(scales)
    shares = []
    for k, (own, scale) in enumerate(zip(errors, known, strict=True)):
        others = [x for i, x in enumerate(errors) if i != k], [x for i, x in enumerate(known) if i != k]
        told = len(own) and any(len(other) for other in others[0])
        share = np.mean(np.abs(own) <= ErrorBand.of(*others, level=level).half_width * scale) if told else np.nan
        shares.append(share)
    return np.array(shares)


def _scores(
    errors: Sequence[Float[np.ndarray, " _"]], scales: Sequence[Float[np.ndarray, " _"]] | None
) -> tuple[Float64[np.ndarray, " sample"], Float64[np.ndarray, " sample"]]:
    """Errors in units of their scale, and how much each counts."""
    said = [own for own in errors if len(own)]
    if not said:
        raise LeakyflowError("The width of a band needs errors of at least one sample, got none.")
    known = [np.ones(len(own)) for own in errors] if scales is None else scales
    scores = [np.abs(own) / scale for own, scale in zip(errors, known, strict=True) if len(own)]
    weights = [np.full(len(own), 1.0 / (len(said) * len(own))) for own in said]
    return np.concatenate(scores).astype(np.float64), np.concatenate(weights)
