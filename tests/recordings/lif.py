"""A leaky integrate-and-fire cell of known truth, with the spikes, the noise and the faults of a laboratory."""

import numpy as np

from leakyflow.recordings.files.raw import RawSweep

TAU, C, V_REST, V_TH, V_RESET = 20.0, 100.0, -70.0, -45.0, -60.0  # ms, pF, mV: 200 MOhm


def step(amplitude, *, onset=100.0, duration=500.0, t_max=800.0, dt=0.05, holding=0.0):
    t = np.arange(round(t_max / dt)) * dt
    return np.where((t >= onset - 1e-9) & (t < onset + duration - 1e-9), amplitude, 0.0) + holding


def spike(before, after, *, rise, fall, dt, peak=30.0):
    up = before + (peak - before) * np.sin(np.pi / 2 * np.arange(1, round(rise / dt) + 1) * dt / rise)
    x = np.arange(1, round(fall / dt) + 1) * dt / fall
    return np.concatenate([up, after + (peak - after) * np.cos(np.pi / 2 * x) ** 2])


def voltage(I, *, dt=0.05, noise=0.15, electrode=0.05, rise=0.5, fall=1.5, peak=30.0, tau=TAU, c=C, v_th=V_TH, seed=0):
    """Euler-Maruyama at the sampling of the file, with a spike over each refractory period."""
    rng = np.random.default_rng(seed)
    shape_of = {"rise": rise, "fall": fall, "dt": dt, "peak": peak}
    V = np.empty(len(I))
    V[0] = V_REST + tau / c * I[0]
    k = 0
    while k < len(I) - 1:
        u = V[k] + dt * ((V_REST - V[k]) / tau + I[k] / c) + noise * np.sqrt(dt) * rng.normal()
        if u >= v_th:
            shape = spike(V[k], V_RESET, **shape_of)[: len(I) - k - 1]
            V[k + 1 : k + 1 + len(shape)] = shape
            k += len(shape)
        else:
            V[k + 1] = u
            k += 1
    return V + electrode * rng.normal(size=len(V))


def raw(V, I, dt=0.05, *, measured=False, command=None, confirmed=False):
    return RawSweep(
        V=V, I=I, dt=dt, voltage="V_mV", current="I_pA", measured=measured, command=command, confirmed=confirmed
    )
