"""Are the spikes found that a cell fired, whatever their width, height, rate and noise, and are they counted right?

    python benchmarks/spikes.py --recordings FOLDER

Writes `benchmarks/results/spikes.json`: precision and recall over a synthetic set, where a spike counts as found within
1 ms (or half of its width) of its onset, and for each sweep of the real recordings in FOLDER the number of spikes
beside a count of peaks that shares no code with it: local maxima above -20 mV, `scipy.signal.find_peaks` with a
prominence of 20 mV, whose sides climb by 10 mV within 2 ms.
"""

import argparse
import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks, lfilter

from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.opening import open_file
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.spikes import find_spikes

RESULTS = Path(__file__).parent / "results" / "spikes.json"
WIDTHS, HEIGHTS, RATES = (0.2, 0.4, 1.0, 2.0, 5.0), (17.0, 25.0, 40.0, 80.0, 110.0), (2.0, 20.0, 100.0)  # ms, mV, Hz
NOISES = ((0.02, 0.05), (0.1, 0.3), (0.3, 0.5))  # of the electrode, mV; of the membrane, mV/sqrt(ms)
INTERVALS = (0.02, 0.05, 0.1)  # ms
SLOWEST = 13.0  # mV/ms; a slower rise is no spike
DURATION, LEVEL, AHP, TAU = 3000.0, -46.0, 8.0, 15.0  # ms, mV, mV, ms


def synthetic(
    width: float, height: float, rate: float, noise: tuple[float, float], dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """A voltage trace, and the onsets of its spikes in ms: up within `width`, down within twice that."""
    rng = np.random.default_rng(zlib.crc32(repr((width, height, rate, noise, dt)).encode()))
    t = np.arange(round(DURATION / dt)) * dt
    total = 3.0 * width
    gaps = np.maximum(total + 2.0, 1000.0 / rate * rng.uniform(0.6, 1.4, int(DURATION * rate / 500) + 2))
    onsets = 50.0 + np.cumsum(gaps) - gaps[0]
    onsets = onsets[onsets < DURATION - 50.0]
    since = t - np.concatenate([[-np.inf], onsets])[np.searchsorted(onsets, t, side="right")]
    rise = np.sin(np.pi / 2 * np.clip(since / width, 0, 1)) ** 1.5
    fall = np.cos(np.pi / 2 * np.clip((since - width) / (2 * width), 0, 1)) ** 2
    spike = np.where(since < width, height * rise, (height + AHP) * fall - AHP)
    V = LEVEL + np.where(since < total, spike, -AHP * np.exp(-(since - total) / TAU))
    membrane = lfilter([noise[1] * np.sqrt(dt)], [1.0, dt / 20.0 - 1.0], rng.normal(size=t.size))
    return V + membrane + noise[0] * rng.normal(size=t.size), onsets


def steepest(width: float, height: float) -> float:
    """Of the upstroke over 0.5 ms, in mV/ms."""
    x = np.linspace(-0.5, width, 400)
    V = height * np.sin(np.pi / 2 * np.clip(x / width, 0, 1)) ** 1.5
    return float(np.max(V - np.interp(x - 0.5, x, V)) / 0.5)


def synthetic_set() -> dict[str, object]:
    hits = false = missed = 0
    worst: list[dict[str, object]] = []
    for width, height, rate, noise, dt in itertools.product(WIDTHS, HEIGHTS, RATES, NOISES, INTERVALS):
        if steepest(width, height) < SLOWEST:
            continue
        V, onsets = synthetic(width, height, rate, noise, dt)
        found = find_spikes(V, dt).onset * dt
        near = np.abs(found[:, None] - onsets) < max(1.0, 0.5 * width)
        n_false, n_missed = int((~near.any(1)).sum()), int((~near.any(0)).sum())
        hits, false, missed = hits + len(onsets) - n_missed, false + n_false, missed + n_missed
        if n_false or n_missed:
            case = {"width": width, "height": height, "rate": rate, "noise": noise, "dt": dt, "n": len(onsets)}
            worst.append(case | {"false": n_false, "missed": n_missed})
    return {"n_spikes": hits + missed, "precision": hits / (hits + false), "recall": hits / (hits + missed),
            "wrong": worst}  # fmt: skip


def peaks(V: np.ndarray, dt: float) -> np.ndarray:
    """Count spikes by their peaks alone."""
    found, _ = find_peaks(V, height=-20.0, prominence=20.0, distance=max(1, round(1.0 / dt)))
    n = max(1, round(2.0 / dt))
    return np.array([k for k in found if V[k] - V[max(k - n, 0) : k + 1].min() > 10.0], dtype=int)


def sweeps(folder: Path) -> Iterator[tuple[str, np.ndarray, float]]:
    for path in sorted([*folder.glob("*_*.abf"), *folder.glob("*ch1*.ibw")]):
        channel = 0 if "abf1" in path.name else None
        with open_file(path, Choices(channel=channel)) as source:
            assert isinstance(source, Source)  # none was saved by leakyflow
            for sweep in range(source.n_sweeps):
                raw = source.read(sweep)
                yield f"{path.name} {sweep}", raw.V, raw.dt


def real_set(folder: Path) -> dict[str, object]:
    counts = {name: (len(find_spikes(V, dt)), len(peaks(V, dt))) for name, V, dt in sweeps(folder)}
    different = {name: count for name, count in counts.items() if count[0] != count[1]}
    return {"n_sweeps": len(counts), "n_spikes": sum(found for found, _ in counts.values()),
            "n_peaks": sum(counted for _, counted in counts.values()), "different": different}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    results = {"synthetic": synthetic_set(), "real": real_set(parser.parse_args().recordings)}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
