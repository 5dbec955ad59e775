"""Named signals of a file, and how the voltages and currents among them become sweeps."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.pairing import Signal, choose, listing, pair
from leakyflow.recordings.files.raw import RawSweep, Source
from leakyflow.recordings.files.timebase import LIMITS
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["looks_like_voltage", "to_source"]

_REST = (-130.0, -10.0)  # mV; half of any current-clamp trace lies there, and of a current hardly ever


def to_source(signals: Sequence[Signal], path: Path, choices: Choices, *, measured: bool) -> Source:
    """Choose the voltage and the current, and pair their sweeps.

    Units say which is which; where the file gives none, those of `choices.units`. Several voltages with as many
    currents are sweeps side by side where their names belong together by a number (V0, I0, V1, I1).

    Args:
        signals: Everything in the file that may be a voltage or a current.
        path: The file, for errors.
        choices: What the caller said.
        measured: Whether the currents were recorded, rather than commanded.

    Raises:
        LeakyflowError: If there is no voltage or no current, there are several and no choice, or they do not fit
            together; it says what to pass.
    """
    signals = [_with_unit(signal, choices) for signal in signals]
    voltages = [signal for signal in signals if signal.kind == "voltage"]
    currents = [signal for signal in signals if signal.kind == "current"]
    if not voltages or not (currents or choices.step):
        raise _lacking(signals, path, "voltage" if not voltages else "current", choices)
    if choices.step:
        return _stepped(signals, voltages, currents, path, choices)
    pairs = pair(voltages, currents, path, choices)
    chosen = choices.current is not None
    readers = [
        partial(_join, V, I, sweep, path, measured=measured, confirmed=chosen, dt=choices.dt_file)
        for V, I in (pairs if len(pairs) == 1 else map(_without_empty_end, pairs))
        for sweep in range(_n_sweeps(V, I, path))
    ]
    return _source(readers)


def looks_like_voltage(samples: np.ndarray, unit: str) -> bool:
    """Whether samples, in a unit of voltage, lie where membranes do: half of them between -130 and -10 mV."""
    finite = samples[np.isfinite(samples)]
    return bool(finite.size) and _REST[0] <= float(np.median(finite)) * scale(unit, "mV") <= _REST[1]


def _source(readers: Sequence[Callable[[], RawSweep]]) -> Source:
    return Source(n_sweeps=len(readers), read=lambda sweep: readers[sweep]())


def _with_unit(signal: Signal, choices: Choices) -> Signal:
    """Give a signal without a unit that of its quantity: by the caller's choice, its name, or what it holds."""
    if signal.unit or not choices.units:
        return signal
    said = parse_label(signal.name).said
    if choices.channel is not None and str(choices.channel) == signal.name:
        said = "voltage"
    elif choices.current is not None and str(choices.current) == signal.name:
        said = "current"
    elif not said and "voltage" in choices.units:
        holds = looks_like_voltage(np.asarray(signal.sweeps[0]), choices.units["voltage"])
        said = "voltage" if holds else "current"
    return replace(signal, unit=choices.units.get(said, ""))


def _lacking(signals: Sequence[Signal], path: Path, kind: str, choices: Choices) -> LeakyflowError:
    """What is missing, and the argument that makes up for it."""
    swapped = [signal for signal in signals if quantity(signal.unit) and not signal.kind]
    silent = [signal for signal in signals if not signal.unit]
    found = listing([signal.label if signal.unit else signal.name for signal in signals]) or "nothing of the kind"
    message = f"{path.name} must have the {kind}, with its unit, got {found}.\n"
    if swapped:
        return LeakyflowError(
            f"{message}The name and the unit of {swapped[0].name} contradict each other: correct one of them, or pass "
            "columns= with the right names, such as t_ms,V_mV,I_pA.",
            argument="columns",
        )
    if silent and choices.units is None:
        return LeakyflowError(
            f"{message}{listing([signal.name for signal in silent])} {'has' if len(silent) == 1 else 'have'} no unit: "
            "pass units=mV,pA with those of the voltage and the current, and channel= and current= with their names "
            "where these do not tell. The columns of a table can be named by columns=t_ms,V_mV,I_pA.",
            argument=("units", "channel", "current", "columns"),
        )
    if kind == "current":
        return LeakyflowError(
            f"{message}If the current was a step that is not in the file, pass step= with its amplitude (pA), onset "
            "(ms) and duration (ms), as in 200,100,500. Otherwise add a column such as I_pA.",
            argument="step",
        )
    if choices.units:
        return LeakyflowError(
            f"{message}No signal without a unit of its own is a voltage by its name, or lies where membranes do in "
            f"{choices.units.get('voltage', 'the units that were passed')}. Correct units=, or pass channel= and "
            "current= with the names.",
            argument=("units", "channel", "current"),
        )
    return LeakyflowError(f"{message}Name it with its unit, as in V_mV or Vm (mV).")


def _stepped(
    signals: Sequence[Signal], voltages: Sequence[Signal], currents: Sequence[Signal], path: Path, choices: Choices
) -> Source:
    if currents:
        raise LeakyflowError(
            f"`step` is for a file without the injected current, but {path.name} has {currents[0].label}. Leave it "
            "out, or pass columns= with - in place of the current that was not injected.",
            argument="step",
        )
    chosen = voltages if choices.channel is None else [choose(choices.channel, voltages, "channel", "voltage", path)]
    sizes = {len(samples) for signal in chosen for samples in signal.sweeps}
    if len(chosen) > 1 and len(sizes) > 1:
        choose(None, voltages, "channel", "voltage", path)
    return _source([partial(_step, V, sweep, path, choices) for V in chosen for sweep in range(len(V.sweeps))])


def _step(V: Signal, sweep: int, path: Path, choices: Choices) -> RawSweep:
    assert choices.step is not None  # by the caller
    dt = _interval(V, choices.dt_file, path)
    step = choices.step
    return RawSweep(
        V=V.sweeps[sweep] * scale(V.unit, "mV"),
        I=step.samples(len(V.sweeps[sweep]), dt, where=path.name),
        dt=dt,
        voltage=V.label,
        current=f"step of {step.amplitude:g} pA from {step.onset:g} ms for {step.duration:g} ms, as said",
        measured=False,
    )


def _without_empty_end(pair: tuple[Signal, Signal]) -> tuple[Signal, Signal]:
    """Sweeps side by side may be of different lengths: the shorter ends in empty cells, of V and I alike."""
    V, I = pair
    filled = np.flatnonzero(~(np.isnan(V.sweeps[0][: len(I.sweeps[0])]) & np.isnan(I.sweeps[0][: len(V.sweeps[0])])))
    keep = slice(int(filled[-1]) + 1 if filled.size else None)
    return replace(V, sweeps=(V.sweeps[0][keep],)), replace(I, sweeps=(I.sweeps[0][keep],))


def _n_sweeps(V: Signal, I: Signal, path: Path) -> int:
    if len(V.sweeps) != len(I.sweeps):
        raise LeakyflowError(
            f"{V.label} and {I.label} of {path.name} must have the same number of sweeps, got {len(V.sweeps)} and "
            f"{len(I.sweeps)}. Pass channel= and current= with two that belong together.",
            argument=("channel", "current"),
        )
    return len(V.sweeps)


def _join(
    V: Signal, I: Signal, sweep: int, path: Path, *, measured: bool, confirmed: bool, dt: float | None
) -> RawSweep:
    voltage, current = V.sweeps[sweep], I.sweeps[sweep]
    dt_V, dt_I = _interval(V, dt, path), _interval(I, dt, path)
    apart = abs(V.start - I.start) > 0.5 * dt_V
    if len(voltage) != len(current) or not np.isclose(dt_V, dt_I, rtol=1e-6, atol=0) or apart:
        raise LeakyflowError(
            f"{V.label} and {I.label} of {path.name} must have the same samples, got {len(voltage)} every {dt_V:g} ms "
            f"from {V.start:g} ms on and {len(current)} every {dt_I:g} ms from {I.start:g} ms on. Pass channel= and "
            "current= with two that belong together.",
            argument=("channel", "current"),
        )
    return RawSweep(
        V=voltage * scale(V.unit, "mV"),
        I=current * scale(I.unit, "pA"),
        dt=dt_V,
        voltage=V.label,
        current=I.label,
        measured=measured,
        confirmed=confirmed,
    )


def _place(signal: Signal, path: Path) -> str:
    return path.name if signal.name == path.name else f"{signal.name} of {path.name}"


def _interval(signal: Signal, dt_file: float | None, path: Path) -> float:
    dt = signal.dt if dt_file is None else dt_file
    if dt is None:
        raise LeakyflowError(
            f"{path.name} must say when the samples of {signal.name} were taken, but has no time or interval. Pass "
            "dt_file= with the sampling interval in ms, or columns= if one of them is the time.",
            argument=("dt_file", "columns"),
        )
    if not LIMITS[0] <= dt <= LIMITS[1]:
        raise LeakyflowError(
            f"A recording must be sampled every {LIMITS[0]:g} to {LIMITS[1]:g} ms, got {dt:.4g} ms for "
            f"{_place(signal, path)}. Correct the time or its unit in the file, or pass dt_file= with the interval in "
            "ms.",
            argument="dt_file",
        )
    return dt
