"""Whether a sweep can be what its units say; a factor of 1000 gives a confident wrong posterior."""

import numpy as np

from leakyflow.recordings.raw import RawSweep

__all__ = ["check_plausible"]

_BLOCK = 5.0  # ms; medians of blocks are blind to spikes, and averages to noise
_MEDIAN_V = (-130.0, -10.0)  # mV
_RANGE_V = (-250.0, 150.0)  # mV
_MAX_I = 20_000.0  # pA; more goes into no neuron
_MOVES = 4.0  # mV; less is noise and synaptic potentials
_MAX_R = 20.0  # GOhm = mV/pA; the smallest neurons have 5


def check_plausible(raw: RawSweep, *, where: str) -> None:
    """Refuse a sweep whose units are wrong by a factor of 1000, or whose current is not the injected one.

    Args:
        raw: The sweep; samples that are not finite are left out.
        where: File and sweep, for the error.

    Raises:
        ValueError: If the voltage or current is out of the range of neurons, or the voltage moves while the
            current does not.
    """
    finite = np.isfinite(raw.V) & np.isfinite(raw.I)
    if not finite.any():
        raise ValueError(f"{where} must hold finite samples, but V or I is NaN or infinite throughout.")
    _check_voltage(raw.V[finite], raw, where)
    _check_current(raw.V[finite], raw.I[finite], raw, where)


def _check_voltage(V: np.ndarray, raw: RawSweep, where: str) -> None:
    median, low, high = float(np.median(V)), float(V.min()), float(V.max())
    if _MEDIAN_V[0] <= median <= _MEDIAN_V[1] and _RANGE_V[0] <= low and high <= _RANGE_V[1]:
        return
    hint = ""
    for factor, written in ((1000.0, "volts labelled mV"), (1e-3, "mV labelled volts")):
        if _MEDIAN_V[0] <= median * factor <= _MEDIAN_V[1]:
            hint = f"This looks like {written}. "
    raise ValueError(
        f"The membrane voltage must lie around {_MEDIAN_V[0]:g} to {_MEDIAN_V[1]:g} mV, got a median of "
        f"{median:.4g} mV and a range of {low:.4g} to {high:.4g} mV in {where} ({raw.voltage}).\n"
        f"{hint}Correct the unit in the file, or choose another channel= or window."
    )


def _check_current(V: np.ndarray, I: np.ndarray, raw: RawSweep, where: str) -> None:
    if np.abs(I).max() > _MAX_I:
        raise ValueError(
            f"The injected current must stay within +-{_MAX_I / 1000:g} nA, got up to {np.abs(I).max():.4g} "
            f"pA in {where} ({raw.current}).\n"
            "This looks like pA labelled nA or A. Correct the unit in the file."
        )
    V_moves, I_moves = np.ptp(_blocks(V, raw.dt, np.median)), np.ptp(_blocks(I, raw.dt, np.mean))
    if raw.confirmed or V_moves < _MOVES or V_moves <= _MAX_R * I_moves:
        return
    # A command is constant exactly; rounding of the file's scaling must not make it a stimulus.
    if np.ptp(I) <= 1e-6 * max(1.0, np.abs(I).max()):
        raise ValueError(
            f"The injected current must be in the file, but it is {I[0]:g} pA throughout {where} "
            f"({raw.current}), while V moves by {V_moves:.3g} mV between spikes.\n"
            "Pass current= with the channel, command or column that was injected; naming this one confirms "
            "that the current was constant."
        )
    raise ValueError(
        f"The current must fit the voltage, but V moves by {V_moves:.3g} mV between spikes while I moves by "
        f"{I_moves:.3g} pA in {where} ({raw.current}): a resistance of {V_moves / I_moves:.3g} GOhm, of at "
        f"most {_MAX_R:g}.\n"
        "This looks like nA labelled pA, or another current. Correct the unit in the file, or pass current= "
        "with the right channel."
    )


def _blocks(x: np.ndarray, dt: float, reduce: "np.ufunc | object") -> np.ndarray:
    n = max(1, min(len(x), round(_BLOCK / dt)))
    return reduce(x[: len(x) // n * n].reshape(-1, n), axis=1)  # type: ignore[operator]
