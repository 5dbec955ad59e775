"""From a fine sampling interval to a coarse one, as files are read."""

import numpy as np

from leakyflow.recordings.recording import Recording
from leakyflow.recordings.resample import hold

__all__ = ["coarser"]


def coarser(fine: Recording, factor: int, *, n_ref: int) -> Recording:
    """Resample a simulated recording as `read_recording` does a real one.

    Args:
        fine: Simulated with a fine step; a spike whose release it does not reach is held at its last sample, and one
            that the next follows within a step of the result at the last sample before that.
        factor: Samples of it for each one of the result.
        n_ref: Refractory samples after each spike of the result.
    """
    n_time, dt = fine.n_samples // factor, fine.dt * factor
    V = fine.V.astype(np.float64)
    I = hold(fine.I.astype(np.float64), np.arange(n_time) * dt, dt_file=fine.dt, dt=dt)
    coarse, spikes, refractory = V[::factor][:n_time].copy(), np.zeros(n_time, bool), np.zeros(n_time, bool)
    step, onsets = -n_ref, np.flatnonzero(fine.spikes)
    for onset, end in zip(onsets, np.append(onsets, len(V))[1:], strict=True):
        # The first sample from the spike on, and not before the release from the one before.
        step = max(-(-int(onset) // factor), step + n_ref + 1)
        coarse[step : step + n_ref + 1] = V[min((step + n_ref) * factor, end - 1)]
        spikes[step : step + 1], refractory[step + 1 : step + n_ref + 1] = True, True
    return Recording(
        V=coarse.astype(np.float32),
        I=I.astype(np.float32),
        spikes=spikes,
        refractory=refractory,
        dt=dt,
        name=fine.name,
        I_electrode=fine.I[::factor][:n_time],
    )
