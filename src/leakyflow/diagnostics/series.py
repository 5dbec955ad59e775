"""Statistics of a residual series: independent, or correlated, rhythmic, humming."""

import numpy as np
from jaxtyping import Bool, Float64

__all__ = ["lag_correlation", "rooted", "spectrum", "variance_of_sums"]

RESOLUTION = 1000.0  # ms, of the spectrum: 1 Hz
LOWEST = 10.0  # Hz; what is slower has checks of its own
HUM = (50.0, 60.0)  # Hz, of mains


def rooted(x: Float64[np.ndarray, " dataset"]) -> Float64[np.ndarray, " dataset"]:
    """Root of the absolute value, with its sign."""
    return np.sign(x) * np.sqrt(np.abs(x))


def lag_correlation(
    e: Float64[np.ndarray, "dataset time"], step: Bool[np.ndarray, "dataset time"], lag: int
) -> Float64[np.ndarray, " dataset"]:
    """Autocorrelation at a lag, in its SDs under independence."""
    pairs = (step[:, lag:] & step[:, :-lag]).sum(1)
    return (e[:, lag:] * e[:, :-lag]).sum(1) / np.sqrt(np.maximum(pairs, 1))


def variance_of_sums(
    e: Float64[np.ndarray, "dataset time"], step: Bool[np.ndarray, "dataset time"], size: int
) -> Float64[np.ndarray, " dataset"]:
    """Length of the sums over so many samples, each in its SD, less that of independent ones."""
    n_blocks = -(-e.shape[1] // size)
    padded = [np.pad(x, ((0, 0), (0, n_blocks * size - e.shape[1]))) for x in (e, step)]
    sums, counts = (x.reshape(len(e), n_blocks, size).sum(-1) for x in padded)
    used = counts >= size / 2
    return np.sqrt(np.where(used, sums**2 / np.maximum(counts, 1), 0.0).sum(1)) - np.sqrt(used.sum(1))


def spectrum(
    e: Float64[np.ndarray, "dataset time"], dt: float, n: Float64[np.ndarray, " dataset"]
) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Largest amplitude of the spectrum, whose squares are exponential with mean 1, and that of mains hum."""
    size = round(RESOLUTION / dt)
    folds = -(-e.shape[1] // size)
    # Summed over whole periods of every frequency, a recording has the spectrum that it had.
    folded = np.pad(e, ((0, 0), (0, folds * size - e.shape[1]))).reshape(len(e), folds, size).sum(1)
    power = np.abs(np.fft.rfft(folded, axis=1)) ** 2 / n[:, None]
    frequency = np.fft.rfftfreq(size, dt * 1e-3)
    mains = [int(np.argmin(np.abs(frequency - hum))) for hum in HUM]
    return {"rhythm": np.sqrt(power[:, frequency >= LOWEST].max(1)), "hum": np.sqrt(power[:, mains].max(1))}
