"""How long the checks of a sweep take, before any inference.

    python benchmarks/checks.py

A minute of noise at 20 kHz; seconds of the processor, the least of three. Results
go to benchmarks/results/checks.json.
"""

import json
import time
from pathlib import Path

import numpy as np

from leakyflow.recordings.checks.check import check_recording
from leakyflow.recordings.files.raw import RawSweep

RESULTS = Path(__file__).parent / "results" / "checks.json"
DT, MINUTE = 0.05, 60_000.0  # ms


def minute() -> RawSweep:
    """A passive membrane under Ornstein-Uhlenbeck current."""
    rng, n = np.random.default_rng(1), round(MINUTE / DT)
    I, V, x, v = np.empty(n), np.empty(n), 0.0, -60.0
    noise = rng.standard_normal((n, 2))
    for k in range(n):
        x += -x * DT / 3.0 + 60.0 * np.sqrt(2.0 * DT / 3.0) * noise[k, 0]
        I[k], V[k] = 60.0 + x, v + 0.05 * noise[k, 1]
        v += DT * ((-70.0 - v) / 20.0 + I[k] / 100.0)
    return RawSweep(V=V, I=I, dt=DT, voltage="V [mV]", current="I [pA]", measured=False)


def main() -> None:
    """Time the checks, three times."""
    raw, seconds = minute(), []
    for _ in range(3):
        began = time.process_time()
        check_recording(raw)
        seconds.append(time.process_time() - began)
    print(f"a minute at 20 kHz: {min(seconds):.2f} s")
    RESULTS.write_text(json.dumps({"minute_at_20_kHz_s": min(seconds)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
