"""A small picture of a cell: its voltages and currents, as SVG, in a millisecond."""

import numpy as np

from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

__all__ = ["picture"]

WIDTH, HEIGHT, BELOW = 240, 60, 20  # pixels, of the voltage and of the current
COLUMNS = 120  # of each of which the lowest and the highest sample are drawn
MOST = 8  # sweeps
BLUE, GREY = "#0072B2", "#8c8c8c"


def picture(cell: Cell) -> str:
    """Voltages of the first sweeps above their currents."""
    sweeps = cell.sweeps[:MOST]
    V, I = _limits([sweep.V for sweep in sweeps]), _limits([sweep.I for sweep in sweeps])
    longest = max(sweep.duration for sweep in sweeps)
    lines = [
        part
        for sweep in sweeps
        for part in (
            _line(sweep, "V", V, longest, top=2, height=HEIGHT - 4, color=BLUE),
            _line(sweep, "I", I, longest, top=HEIGHT, height=BELOW - 2, color=GREY),
        )
    ]
    size = f'width="{WIDTH}" height="{HEIGHT + BELOW}" viewBox="0 0 {WIDTH} {HEIGHT + BELOW}"'
    text = f"V {V[0]:.0f} to {V[1]:.0f} mV, I {I[0]:.0f} to {I[1]:.0f} pA, {longest:g} ms"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, f"<title>{text}</title>", *lines, "</svg>", ""])


def _limits(traces: list[np.ndarray]) -> tuple[float, float]:
    return float(min(trace.min() for trace in traces)), float(max(trace.max() for trace in traces))


def _line(
    sweep: Recording, name: str, limits: tuple[float, float], longest: float, *, top: float, height: float, color: str
) -> str:
    t, values = _outline(sweep.t, getattr(sweep, name))
    low, high = limits
    x, y = t / longest * WIDTH, top + height * (high - values) / ((high - low) or 1.0)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline fill="none" stroke="{color}" stroke-width="0.8" stroke-opacity="0.7" points="{points}"/>'


def _outline(t: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sample of each column."""
    if len(values) <= 2 * COLUMNS:
        return t, values
    edges = np.linspace(0, len(values), COLUMNS + 1).astype(int)[:-1]
    both = np.stack([np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)], axis=1)
    return np.repeat(t[edges], 2), both.ravel()
