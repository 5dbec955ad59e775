"""Whether leakyflow reads from a file what other programs read from it.

    python benchmarks/readers.py ../shared/recordings

Every sweep that `list_sweeps` names is compared with the same file read by another library, without a line of
leakyflow: neo for the samples of ABF files and for commands that the epoch table holds, pyABF for commands that neo
does not know (played from a file, continued from the sweep before, version 1), igor2 for waves. Compared are the number
of sweeps, length, sampling interval, and the range of voltage and current; then one sweep as `read_recording` gives it,
sample by sample outside of spikes, with the charge that was injected. Differences are the largest over all sweeps.
Results go to `benchmarks/results/readers.json`; the status is 1 where a difference is larger than `BOUNDS`.
"""

import argparse
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import Sweep, list_sweeps

RESULTS = Path(__file__).parent / "results" / "readers.json"
BOUNDS = {"duration_ms": 1e-3, "dt_ms": 1e-6, "V_mV": 0.02, "I_pA": 0.2, "V_read_mV": 0.5, "I_read_pA": 1.0}
CHOICE = {"steps_190619B_0003_abf1.abf": {"channel": 0}}  # two voltages, of which the first is the cell
NO_RECORDING = {"sine sweep magnitude 20.abf"}  # a stimulus: it must be refused


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A sweep as another library reads it: mV, pA, ms."""

    V: np.ndarray
    I: np.ndarray
    dt: float


def of_abf(path: Path) -> tuple[str, list[Truth]]:
    """By neo, whose signals are in the order of the file; the current is recorded, or the command."""
    from neo.io import AxonIO

    segments = AxonIO(str(path)).read_block(signal_group_mode="split-all").segments
    signals = [[np.asarray(s.magnitude, float).ravel() for s in segment.analogsignals] for segment in segments]
    units = [str(s.units.dimensionality) for s in segments[0].analogsignals]
    dt = float(segments[0].analogsignals[0].sampling_period.rescale("ms"))
    voltage = units.index("mV")
    if "pA" in units:
        return "neo", [Truth(V=sweep[voltage], I=sweep[units.index("pA")], dt=dt) for sweep in signals]
    by, currents = commands(path)
    return by, [Truth(V=sweep[voltage], I=I, dt=dt) for sweep, I in zip(signals, currents, strict=True)]


def commands(path: Path) -> tuple[str, list[np.ndarray]]:
    """By neo from the epoch table; by pyABF a file that was played, a level that stays until the next sweep, ABF 1."""
    import pyabf
    from neo.io import AxonIO

    abf = pyabf.ABF(str(path), stimulusFileFolder=str(path.parent))
    table = abf._dacSection if abf.abfVersion["major"] == 2 else None
    if table is not None and table.nWaveformSource[0] == 1 and not table.nInterEpisodeLevel[0]:
        protocol = AxonIO(str(path)).read_protocol()
        return "neo", [np.asarray(segment.analogsignals[0].magnitude, float).ravel() for segment in protocol]
    played = []
    for sweep in abf.sweepList:
        abf.setSweep(sweep)
        played.append(np.asarray(abf.sweepC, float))
    return "neo and pyABF", played


def of_igor(path: Path) -> tuple[str, list[Truth]]:
    """By igor2: channel 0 is the current in A, channel 1 the voltage in V."""
    from igor2 import binarywave

    pair = [path.with_name(path.name.replace("_ch0_", f"_ch{n}_").replace("_ch1_", f"_ch{n}_")) for n in (0, 1)]
    I, V = (binarywave.load(str(wave))["wave"] for wave in pair)
    header = V["wave_header"]
    step = header["sfA"][0] if "sfA" in header else header["hsA"]  # version 5, versions before
    truth = Truth(V=1e3 * V["wData"].astype(float), I=1e12 * I["wData"].astype(float), dt=1e3 * float(step))
    return "igor2", [truth]


def difference(found: Sweep, truth: Truth) -> dict[str, float]:
    """What a list of sweeps says, less what another library reads."""
    n = len(truth.V)
    pairs = (found.V_range, truth.V), (found.I_range, truth.I)
    ranges = [np.abs(np.subtract(got, (x.min(), x.max()))).max() for got, x in pairs]
    return {
        "duration_ms": abs(found.duration - n * truth.dt),
        "dt_ms": abs(found.dt - truth.dt),
        "V_mV": float(ranges[0]),
        "I_pA": float(ranges[1]),
    }


def difference_read(path: Path, sweep: int, truth: Truth) -> dict[str, float]:
    """A recording on its grid, less the samples of another library: medians outside of spikes, and mean currents."""
    choice = CHOICE.get(path.name, {})
    recording = read_recording(path, sweep=sweep, **choice)
    t = np.arange(len(truth.V)) * truth.dt
    expected = np.interp(recording.t, t, truth.V)
    charge = truth.I[: round(recording.duration / truth.dt)].mean()
    return {
        "V_read_mV": float(np.median(np.abs(recording.V - expected)[recording.free])),
        "I_read_pA": float(abs(recording.I.mean() - charge)),
    }


def compare(path: Path) -> dict[str, object]:
    """One file."""
    if path.name in NO_RECORDING:
        try:
            list_sweeps(path)
        except LeakyflowError as error:
            return {"refused": str(error).splitlines()[0]}
        return {"wrong": "it is no recording, and was read"}
    by, truth = (of_igor if path.suffix == ".ibw" else of_abf)(path)
    found = list_sweeps(path, **CHOICE.get(path.name, {}))
    if len(found) != len(truth):
        return {"by": by, "wrong": f"{len(found)} sweeps, {len(truth)} by {by}"}
    rows = [difference(a, b) for a, b in zip(found, truth, strict=True)]
    largest = {key: max(row[key] for row in rows) for key in rows[0]}
    largest |= difference_read(path, len(truth) // 2, truth[len(truth) // 2])
    wrong = [key for key, value in largest.items() if not value <= BOUNDS[key]]
    return {"by": by, "sweeps": len(found), **largest} | ({"wrong": ", ".join(wrong)} if wrong else {})


def main() -> int:
    """Compare each file of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".abf", ".ibw", ".nwb"))
    results = {path.name: compare(path) for path in files}
    RESULTS.write_text(json.dumps({"bounds": BOUNDS, "files": results}, indent=2) + "\n")
    for name, result in results.items():
        print(name, {key: round(v, 5) if isinstance(v, float) else v for key, v in result.items()})
    return 1 if any("wrong" in result for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
