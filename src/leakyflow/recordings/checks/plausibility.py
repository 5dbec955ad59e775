"""Whether V, I and their ratio are those of a neuron; a factor of 1000 gives a confident wrong posterior."""

import numpy as np

from leakyflow.recordings.checks.window import Window
from leakyflow.recordings.finding import Finding

__all__ = ["constant_current", "implausible_current", "implausible_resistance", "implausible_voltage", "rest_level"]

_MEDIAN_V = (-130.0, -10.0)  # mV
_RANGE_V = (-250.0, 150.0)  # mV
_REST = (-100.0, -35.0)  # mV
_MAX_I = 20_000.0  # pA; more goes into no neuron
_MOVES = 4.0  # mV; less is noise and synaptic potentials
_R = (0.005, 20.0)  # GOhm = mV/pA; the largest motoneurons have 0.005, the smallest neurons 5
_TAU = 20.0  # ms, over which a current must last to move V by its resistance
_REST_FOR = 20.0  # ms


def implausible_voltage(window: Window) -> list[Finding]:
    """V in other units, or another channel."""
    V = window.raw.V
    median, low, high = float(np.median(V)), float(V.min()), float(V.max())
    if _MEDIAN_V[0] <= median <= _MEDIAN_V[1] and _RANGE_V[0] <= low and high <= _RANGE_V[1]:
        return []
    hint = ""
    for factor, written in ((1000.0, "volts labelled mV"), (1e-3, "mV labelled volts")):
        if _MEDIAN_V[0] <= median * factor <= _MEDIAN_V[1]:
            hint = f"This looks like {written}. "
    return [
        Finding(
            "refuse",
            f"The membrane voltage must lie around {_MEDIAN_V[0]:g} to {_MEDIAN_V[1]:g} mV, got a median of "
            f"{median:.4g} mV and a range of {low:.4g} to {high:.4g} mV in {window.where} ({window.raw.voltage}).",
            f"{hint}Correct the unit in the file, or choose another channel= or window.",
            "channel",
        )
    ]


def implausible_current(window: Window) -> list[Finding]:
    """I in other units."""
    largest = float(np.abs(window.raw.I).max())
    if largest <= _MAX_I:
        return []
    return [
        Finding(
            "refuse",
            f"The injected current must stay within +-{_MAX_I / 1000:g} nA, got up to {largest:.4g} pA in "
            f"{window.where} ({window.raw.current}).",
            "This looks like pA labelled nA or A. Correct the unit in the file.",
            "current",
        )
    ]


def constant_current(window: Window) -> list[Finding]:
    """I that does not change: it was not the one injected, or says nothing of C and R."""
    V_moves, _ = window.moves
    I = window.raw.I
    # A command is constant exactly; rounding of the file's scaling must not make it a stimulus.
    if np.ptp(I) > 1e-6 * max(1.0, float(np.abs(I).max())):
        return []
    stands = f"it is {I[0]:.4g} pA throughout {window.where} ({window.raw.current})"
    if window.raw.confirmed or (V_moves < _MOVES and not len(window.spikes)):
        cure = "Choose a window with a step of the current."
        return [Finding("warn", f"I must change to inform C and R, but {stands}.", cure, "start")]
    return [
        Finding(
            "refuse",
            f"The injected current must be in the file, but {stands}, while V moves by {V_moves:.3g} mV between "
            "spikes.",
            "Pass current= with the channel, command or column that was injected; naming this one confirms that the "
            "current was constant.",
            "current",
        )
    ]


def implausible_resistance(window: Window) -> list[Finding]:
    """V over I out of the range of neurons."""
    V_moves, I_moves = window.moves
    if not I_moves > 0 or np.ptp(window.raw.I) <= 1e-6 * max(1.0, float(np.abs(window.raw.I).max())):
        return []
    lasting = float(np.ptp(_lasting(window.I)))
    if V_moves < _R[0] * lasting:
        return [_resistance(window, V_moves, lasting, "pA labelled nA, or another current or voltage")]
    if V_moves >= _MOVES and V_moves > _R[1] * I_moves and not window.raw.confirmed:
        return [_resistance(window, V_moves, I_moves, "nA labelled pA, or another current")]
    return []


def _lasting(I: np.ndarray) -> np.ndarray:
    """The current as a membrane would average it."""
    from scipy.signal import lfilter

    keep = np.exp(-1.0 / _TAU)
    return lfilter([1 - keep], [1, -keep], I - I[0])


def _resistance(window: Window, V_moves: float, I_moves: float, hint: str) -> Finding:
    return Finding(
        "refuse",
        f"The current must fit the voltage, but V moves by {V_moves:.3g} mV between spikes while I moves by "
        f"{I_moves:.4g} pA in {window.where} ({window.raw.current}): a resistance of {1000 * V_moves / I_moves:.3g} "
        f"MOhm, where neurons have {1000 * _R[0]:g} MOhm to {_R[1]:g} GOhm.",
        f"This looks like {hint}. Correct the unit in the file, or pass current= with the right channel.",
        "current",
    )


def rest_level(window: Window) -> list[Finding]:
    """V at rest that no electrode without an offset shows."""
    rest = window.rest
    V = window.V[rest] if rest.stop - rest.start >= _REST_FOR else window.V
    level = float(np.median(V))
    if _REST[0] <= level <= _REST[1]:
        return []
    return [
        Finding(
            "warn",
            f"V at rest should lie within {_REST[0]:g} to {_REST[1]:g} mV, got {level:.3g} mV in {window.where}.",
            "Check the offset of the electrode: V_rest, V_th and V_reset carry it.",
        )
    ]
