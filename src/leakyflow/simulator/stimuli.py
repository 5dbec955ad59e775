"""Currents injected into the neuron, sample by sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from leakyflow.errors import LeakyflowError
from leakyflow.simulator import waveforms
from leakyflow.simulator.grid import n_steps
from leakyflow.simulator.waveforms import HZ_TO_PER_MS

__all__ = ["Stimulus", "chirp", "from_array", "modulated_noise", "ornstein_uhlenbeck", "ramp", "sinusoid", "square"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Stimulus:
    """The current injected into a neuron; sample k is taken at `k * dt` and held for dt.

    Attributes:
        I: Current, in pA, holding current included.
        dt: Sampling interval, in ms.
        name: What to call it in tables and figures.

    Raises:
        ValueError: If there are fewer than 2 samples, one is NaN or infinite, or dt is not positive.
    """

    I: Float32[np.ndarray, " time"]
    dt: float
    name: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise LeakyflowError(
                f"`dt` must be positive and finite, got {self.dt} ms. Pass the sampling interval in ms."
            )
        if self.n_samples < 2:
            raise LeakyflowError(f"A stimulus needs at least 2 samples, got {self.n_samples}. Raise t_max or lower dt.")
        bad = ~np.isfinite(self.I)
        if bad.any():
            raise LeakyflowError(
                f"`I` must be finite, got {bad.sum()} NaN or infinite of {bad.size} samples (first at "
                f"{bad.argmax() * self.dt:g} ms). Pass finite arguments; values are in pA."
            )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.I)

    @property
    def t(self) -> Float[np.ndarray, " time"]:
        """Time of each sample, in ms."""
        return np.arange(self.n_samples) * self.dt

    @property
    def duration(self) -> float:
        """Length, `n_samples * dt`, in ms."""
        return self.n_samples * self.dt


def square(
    *, amplitude: float, onset: float, duration: float, t_max: float, dt: float, holding: float = 0.0
) -> Stimulus:
    r"""A rectangular current pulse, the classic current-clamp step.

    .. math:: I(t) = I_{hold} + A \; [t_{on} \le t < t_{on} + d]

    Args:
        amplitude: A, in pA; negative hyperpolarises.
        onset: First moment of the pulse, in ms.
        duration: Length of the pulse, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the pulse, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: If a time is off the grid, or the pulse is empty or does not end by `t_max`.

    Example:
        >>> square(amplitude=250.0, onset=1.0, duration=2.0, t_max=4.0, dt=1.0).I
        array([  0., 250., 250.,   0.], dtype=float32)
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    return grid.place(np.full(grid.n_on, amplitude), holding, "square")


def sinusoid(
    *,
    mean: float = 0.0,
    amplitude: float,
    frequency: float,
    phase: float = 0.0,
    onset: float,
    duration: float,
    t_max: float,
    dt: float,
    holding: float = 0.0,
) -> Stimulus:
    r"""A sinusoidal current.

    .. math:: I(t) = I_{hold} + (A_0 + A \sin(2 \pi f (t - t_{on}) + \varphi)) \; [t_{on} \le t < t_{on} + d]

    Args:
        mean: :math:`A_0`, in pA above the holding current.
        amplitude: A, in pA.
        frequency: f, in Hz.
        phase: :math:`\varphi`, in rad.
        onset: First moment of the sinusoid, in ms.
        duration: Length of the sinusoid, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the sinusoid, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: If a time is off the grid, the sinusoid is empty or does not end by `t_max`, or the grid
            is too coarse for the frequency.

    Example:
        >>> sinusoid(amplitude=100.0, frequency=250.0, onset=0.0, duration=4.0, t_max=4.0, dt=1.0).I.round(3)
        array([   0.,  100.,    0., -100.], dtype=float32)
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    check_frequency("frequency", frequency, dt)
    waveform = waveforms.sinusoid(grid.t, mean=mean, amplitude=amplitude, frequency=frequency, phase=phase)
    return grid.place(waveform, holding, "sinusoid")


def ramp(
    *,
    start: float = 0.0,
    stop: float,
    onset: float,
    duration: float,
    t_max: float,
    dt: float,
    holding: float = 0.0,
) -> Stimulus:
    r"""A current that rises or falls at a constant rate.

    .. math:: I(t) = I_{hold} + (A_0 + (A_1 - A_0) (t - t_{on}) / d) \; [t_{on} \le t < t_{on} + d]

    Args:
        start: :math:`A_0`, in pA above the holding current.
        stop: :math:`A_1`, in pA above the holding current.
        onset: First moment of the ramp, in ms.
        duration: Length of the ramp, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the ramp, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: If a time is off the grid, or the ramp is empty or does not end by `t_max`.

    Example:
        >>> ramp(stop=100.0, onset=0.0, duration=4.0, t_max=5.0, dt=1.0).I
        array([ 0., 25., 50., 75.,  0.], dtype=float32)
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    return grid.place(waveforms.ramp(grid.t, start=start, stop=stop, duration=duration), holding, "ramp")


def chirp(
    *,
    mean: float = 0.0,
    amplitude: float,
    start_frequency: float,
    stop_frequency: float,
    phase: float = 0.0,
    onset: float,
    duration: float,
    t_max: float,
    dt: float,
    holding: float = 0.0,
) -> Stimulus:
    r"""A sinusoid whose frequency changes at a constant rate.

    .. math:: I(t) = I_{hold} + (A_0 + A \sin(2 \pi (f_0 s + (f_1 - f_0) s^2 / 2 d) + \varphi))
        \; [0 \le s < d], \quad s = t - t_{on}

    Args:
        mean: :math:`A_0`, in pA above the holding current.
        amplitude: A, in pA.
        start_frequency: :math:`f_0`, in Hz.
        stop_frequency: :math:`f_1`, in Hz.
        phase: :math:`\varphi`, in rad.
        onset: First moment of the chirp, in ms.
        duration: d, length of the chirp, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the chirp, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: If a time is off the grid, the chirp is empty or does not end by `t_max`, or the grid is
            too coarse for a frequency.

    Example:
        >>> chirp(
        ...     amplitude=100.0, start_frequency=0.0, stop_frequency=500.0,
        ...     onset=0.0, duration=4.0, t_max=4.0, dt=1.0,
        ... ).I.round(1)
        array([  0. ,  38.3, 100. , -38.3], dtype=float32)
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    check_frequency("start_frequency", start_frequency, dt)
    check_frequency("stop_frequency", stop_frequency, dt)
    waveform = waveforms.chirp(
        grid.t,
        mean=mean,
        amplitude=amplitude,
        start_frequency=start_frequency,
        stop_frequency=stop_frequency,
        phase=phase,
        duration=duration,
    )
    return grid.place(waveform, holding, "chirp")


def ornstein_uhlenbeck(
    *,
    mean: float,
    sd: float,
    correlation_time: float,
    seed: int,
    onset: float,
    duration: float,
    t_max: float,
    dt: float,
    holding: float = 0.0,
) -> Stimulus:
    r"""A stationary Ornstein-Uhlenbeck current, as from a barrage of synaptic inputs.

    .. math:: \mathrm{Cov}(I(t), I(t')) = \sigma^2 e^{-|t - t'| / \tau_c}

    The samples have exactly this covariance, whatever dt is.

    Args:
        mean: Mean, in pA above the holding current.
        sd: :math:`\sigma`, in pA; not negative.
        correlation_time: :math:`\tau_c`, in ms.
        seed: Not negative; the same seed gives the same current.
        onset: First moment of the noise, in ms.
        duration: Length of the noise, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the noise, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: If a time is off the grid, the noise is empty or does not end by `t_max`, `sd` is
            negative, or `correlation_time` is not positive.

    Example:
        >>> noise = ornstein_uhlenbeck(
        ...     mean=50.0, sd=20.0, correlation_time=5.0, seed=1, onset=0.0, duration=1e5, t_max=1e5, dt=0.5
        ... )
        >>> bool(abs(noise.I.mean() - 50.0) < 1.0 and abs(noise.I.std() - 20.0) < 1.0)
        True
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    _check_noise(sd, correlation_time)
    waveform = waveforms.noise(grid.t, mean=mean, sd=sd, correlation_time=correlation_time, seed=seed, dt=dt)
    return grid.place(waveform, holding, "noise")


def modulated_noise(
    *,
    mean: float,
    sd: float,
    correlation_time: float,
    modulation: float,
    modulation_frequency: float,
    phase: float = 0.0,
    seed: int,
    onset: float,
    duration: float,
    t_max: float,
    dt: float,
    holding: float = 0.0,
) -> Stimulus:
    r"""An Ornstein-Uhlenbeck current whose SD swells and shrinks, as to train a model on all rates of a cell.

    .. math:: I(t) = I_{hold} + A_0 + \sigma \, (1 + m \sin(2 \pi f (t - t_{on}) + \varphi)) \, x(t)

    with the stationary x of `ornstein_uhlenbeck` of SD 1 (Pozzorini et al. 2015, PLoS Computational Biology).

    Args:
        mean: :math:`A_0`, in pA above the holding current.
        sd: :math:`\sigma`, in pA; not negative.
        correlation_time: Of x, in ms.
        modulation: m, from 0 to 1.
        modulation_frequency: f, in Hz.
        phase: :math:`\varphi`, in rad.
        seed: Not negative; the same seed gives the same current.
        onset: First moment of the noise, in ms.
        duration: Length of the noise, in ms.
        t_max: Length of the stimulus, in ms.
        dt: Sampling interval, in ms; every time must lie on its grid.
        holding: Current before, under and after the noise, in pA.

    Returns:
        Stimulus with `I` of shape (time,), in pA.

    Raises:
        ValueError: As `ornstein_uhlenbeck`; or if `modulation` is out of range, or the grid is too coarse for the
            frequency.

    Example:
        >>> noise = modulated_noise(mean=0.0, sd=20.0, correlation_time=5.0, modulation=1.0, modulation_frequency=1.0,
        ...     seed=1, onset=0.0, duration=1000.0, t_max=1000.0, dt=0.5)
        >>> bool(noise.I[:1000].std() > 3 * noise.I[1000:].std())
        True
    """
    grid = _Grid.of(onset, duration, t_max, dt)
    check_frequency("modulation_frequency", modulation_frequency, dt)
    _check_noise(sd, correlation_time)
    if not 0 <= modulation <= 1:
        raise LeakyflowError(f"`modulation` must lie between 0 and 1, got {modulation:g}.")
    waveform = waveforms.modulated_noise(
        grid.t,
        mean=mean,
        sd=sd,
        correlation_time=correlation_time,
        modulation=modulation,
        modulation_frequency=modulation_frequency,
        phase=phase,
        seed=seed,
        dt=dt,
    )
    return grid.place(waveform, holding, "modulated noise")


def from_array(I: Sequence[float] | np.ndarray, dt: float, *, name: str = "") -> Stimulus:
    """Any current, sample by sample.

    Args:
        I: Current, in pA, with one axis.
        dt: Sampling interval, in ms.
        name: What to call it in tables and figures.

    Returns:
        Stimulus with `I` in single precision.

    Raises:
        ValueError: If `I` has another number of axes, fewer than 2 samples, or NaN or infinite ones.

    Example:
        >>> from_array([0.0, 100.0, 100.0], dt=0.1).duration
        0.30000000000000004
    """
    array = np.array(I, dtype=np.float32)
    if array.ndim != 1:
        raise LeakyflowError(f"`I` must have one axis, time, got shape {array.shape}. Pass one sweep at a time.")
    return Stimulus(I=array, dt=dt, name=name)


@dataclass(frozen=True)
class _Grid:
    """Where the stimulus is on, in samples."""

    start: int
    n_on: int
    n_time: int
    dt: float

    @classmethod
    def of(cls, onset: float, duration: float, t_max: float, dt: float) -> "_Grid":
        start = n_steps(onset, dt, name="onset")
        n_on = n_steps(duration, dt, name="duration")
        n_time = n_steps(t_max, dt, name="t_max")
        if n_on == 0:
            raise LeakyflowError(
                "`duration` must be positive, got 0 ms. For the holding current alone, use amplitude=0."
            )
        if start + n_on > n_time:
            raise LeakyflowError(
                f"The stimulus must end by t_max={t_max:g} ms, but ends at {onset + duration:g} ms. "
                "Shorten it, or raise t_max."
            )
        return cls(start, n_on, n_time, dt)

    @property
    def t(self) -> Float[np.ndarray, " on"]:
        """Time since the onset, in ms, while on."""
        return np.arange(self.n_on) * self.dt

    def place(self, waveform: Float[np.ndarray, " on"], holding: float, name: str) -> Stimulus:
        I = np.full(self.n_time, holding)
        I[self.start : self.start + self.n_on] += waveform
        return Stimulus(I=I.astype(np.float32), dt=self.dt, name=name)


def check_frequency(name: str, frequency: float, dt: float) -> None:
    """Refuse one that the grid is too coarse for."""
    nyquist = 0.5 / (HZ_TO_PER_MS * dt)
    if not 0 <= frequency <= nyquist:
        raise LeakyflowError(
            f"`{name}` must lie between 0 and {nyquist:g} Hz, half the sampling rate at dt={dt:g} ms, "
            f"got {frequency:g} Hz."
        )


def _check_noise(sd: float, correlation_time: float) -> None:
    if not (sd >= 0 and correlation_time > 0):
        raise LeakyflowError(
            f"`sd` must not be negative and `correlation_time` must be positive, got sd={sd} pA, "
            f"correlation_time={correlation_time} ms."
        )
