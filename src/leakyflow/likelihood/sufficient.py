r"""What the likelihood needs of a recording, a few hundred numbers instead of thousands of samples.

With c = (V_rest / tau, -1 / tau, 1 / C) the free samples are a linear regression,

.. math:: (V_{k+1} - V_k) / dt = c \cdot (1, V_k, I_k) + \sigma / \sqrt{dt} \; \xi_k ,

so its Gram matrix says all about them; a hard threshold adds the largest free voltage, each spike the step that
led to it, and a noisy threshold how often each voltage was survived.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float, Float64, Int

from leakyflow.likelihood.blocks import in_blocks
from leakyflow.likelihood.normal import LOG_SQRT_2PI, log_ndtr
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch

__all__ = ["Sufficient", "compress", "compressed_log_likelihood", "depth_grid", "spike_columns"]

# Of the grid on which voltages are counted: mV below the largest free one, and how much wider its last step is
# than its first, for survival carries information near the top.
DEEPEST = 50.0
WIDENING = 20.0
# For spikes.
LEAST_COLUMNS = 8


class Sufficient(NamedTuple):
    """Arrays with a leading axis, dataset; voltages are relative to `V_ref` where the name says so."""

    V_ref: Float64[np.ndarray, " dataset"]  # mV, mean free voltage: keeps the sums well conditioned
    gram: Float64[np.ndarray, "dataset 3 3"]  # sums of products of (1, V - V_ref, I) over free steps
    cross: Float64[np.ndarray, "dataset 3"]  # the same with the slope (V[k+1] - V[k]) / dt
    square: Float64[np.ndarray, " dataset"]  # sum of squared slopes
    V_first: Float64[np.ndarray, " dataset"]  # mV
    I_first: Float64[np.ndarray, " dataset"]  # pA
    V_max: Float64[np.ndarray, " dataset"]  # mV, largest free voltage after the first sample
    survived: Float64[np.ndarray, "dataset depth"]  # samples at V_max - depth_grid(...), shared between nodes
    V_before: Float64[np.ndarray, "dataset spike"]  # mV, one sample before each spike
    I_before: Float64[np.ndarray, "dataset spike"]  # pA
    V_released: Float64[np.ndarray, "dataset spike"]  # mV
    weight: Float64[np.ndarray, "dataset spike"]  # spikes for which each column stands; 0 is padding
    dt: float

    @property
    def n_steps(self) -> Float64[np.ndarray, " dataset"] | Float64[Array, ""]:
        """Number of free steps."""
        return self.gram[..., 0, 0]

    def at(self, rows: Any) -> "Sufficient":
        """Those of some recordings; of one number, without their axis."""
        return Sufficient._make(value if isinstance(value, float) else value[rows] for value in self)

    def narrow(self) -> "Sufficient":
        """Without the columns for spikes that none of the recordings needs, but for what keeps shapes few."""
        needed = int((self.weight > 0).sum(-1).max(initial=0))
        columns = slice(spike_columns(needed))
        names = ("V_before", "I_before", "V_released", "weight")
        return self._replace(**{name: getattr(self, name)[..., columns] for name in names})


def spike_columns(n: int) -> int:
    """Columns for n spikes: one of few numbers, each of which is a shape to compile."""
    columns = LEAST_COLUMNS
    while columns < n:
        columns *= 4
    return columns


def depth_grid(n_depths: int) -> Float64[np.ndarray, " depth"]:
    """Depths below the largest free voltage, in mV, at which survived voltages are counted."""
    steps = np.geomspace(1.0, WIDENING, n_depths - 1)
    return DEEPEST * np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()


def compress(recordings: Batch, *, n_spikes: int = 32, n_depths: int = 32) -> Sufficient:
    """Reduce recordings to what their likelihood needs.

    Args:
        recordings: One or many.
        n_spikes: Columns kept for spikes. A recording with more is represented by that many of its spikes, evenly
            spread and weighted; up to there nothing is lost.
        n_depths: Nodes of the grid of survived voltages, which only a noisy threshold needs. The error falls with
            its fourth power.

    Returns:
        Sufficient, float64.
    """
    r = recordings
    traces = (r.V, r.I, r.spikes, r.refractory, r.n_samples)
    V_ref, gram, cross, square, V_max, survived = in_blocks(
        lambda rows: _sums(*(value[rows] for value in traces), r.dt, depth_grid(n_depths)), len(r)
    )
    return Sufficient(
        V_ref=V_ref,
        gram=gram,
        cross=cross,
        square=square,
        V_first=recordings.V[:, 0].astype(np.float64),
        I_first=recordings.I[:, 0].astype(np.float64),
        V_max=V_max,
        survived=survived,
        **_spike_steps(recordings, n_spikes),
        dt=recordings.dt,
    )


def _spike_steps(recordings: Batch, n_spikes: int) -> dict[str, Float64[np.ndarray, "dataset spike"]]:
    row, column = np.nonzero(recordings.spikes & recordings.valid)
    count = np.bincount(row, minlength=len(recordings))
    start = np.cumsum(count) - count
    kept = np.minimum(count, n_spikes)
    slot = np.arange(n_spikes)
    valid = slot < kept[:, None]
    # Spike floor(slot * count / kept): every one where all fit, evenly spread where they do not.
    chosen = start[:, None] + slot * count[:, None] // np.maximum(kept, 1)[:, None]
    chosen = np.where(valid, chosen, 0)
    r, k = np.arange(len(recordings))[:, None], np.ones((1, n_spikes), int)
    if len(column):
        k = np.where(valid, column[np.minimum(chosen, len(column) - 1)], 1)
    values = {
        "V_before": recordings.V[r, k - 1],
        "I_before": recordings.I[r, k - 1],
        "V_released": recordings.V[r, k],
    }
    weight = valid * (count / np.maximum(kept, 1))[:, None]
    return {name: np.where(valid, value, 0.0).astype(np.float64) for name, value in values.items()} | {"weight": weight}


@jax.jit
def _sums(
    V: Float[Array, "dataset time"],
    I: Float[Array, "dataset time"],
    spikes: Bool[Array, "dataset time"],
    refractory: Bool[Array, "dataset time"],
    n_samples: Int[Array, " dataset"],
    dt: float | Array,
    depths: Float[Array, " depth"],
) -> tuple[Array, ...]:
    valid = jnp.arange(V.shape[1]) < n_samples[:, None]
    step = (valid & ~spikes & ~refractory)[:, 1:]
    V = jnp.where(valid, V, 0.0).astype(jnp.float64)
    I = jnp.where(valid, I, 0.0).astype(jnp.float64)
    n = step.sum(1).astype(jnp.float64)
    V_ref = jnp.where(step, V[:, 1:], 0.0).sum(1) / jnp.maximum(n, 1.0)
    x = (jnp.where(step, V[:, :-1] - V_ref[:, None], 0.0), jnp.where(step, I[:, :-1], 0.0))
    slope = jnp.where(step, (V[:, 1:] - V[:, :-1]) / dt, 0.0)
    s = [n, x[0].sum(1), x[1].sum(1)]
    vv, vi, ii = (x[0] ** 2).sum(1), (x[0] * x[1]).sum(1), (x[1] ** 2).sum(1)
    gram = jnp.stack([jnp.stack(s, -1), jnp.stack([s[1], vv, vi], -1), jnp.stack([s[2], vi, ii], -1)], -2)
    cross = jnp.stack([slope.sum(1), (slope * x[0]).sum(1), (slope * x[1]).sum(1)], -1)
    V_max = jnp.where(step, V[:, 1:], -jnp.inf).max(1)
    V_max = jnp.where(n > 0, V_max, V[:, 0])
    return (
        V_ref,
        gram,
        cross,
        (slope**2).sum(1),
        V_max,
        jax.vmap(_survived, in_axes=(0, 0, 0, None))(V[:, 1:], step, V_max, depths),
    )


def _survived(
    V: Float[Array, " time"], step: Bool[Array, " time"], V_max: Float[Array, ""], depths: Float[Array, " depth"]
) -> Float[Array, " depth"]:
    """Count samples on the grid of depths, each shared between four nodes so that cubics are summed exactly."""
    depth = jnp.clip(V_max - V, 0.0, depths[-1])
    first = jnp.clip(jnp.searchsorted(depths, depth, side="right") - 2, 0, len(depths) - 4)
    nodes = [depths[first + i] for i in range(4)]
    counts = jnp.zeros(len(depths))
    for i, node in enumerate(nodes):
        # Lagrange's interpolation: the share of a node is 1 there and 0 at the other three.
        others = nodes[:i] + nodes[i + 1 :]
        share = math.prod((depth - other) / (node - other) for other in others)
        counts = counts.at[first + i].add(jnp.where(step, share, 0.0))
    return counts


def compressed_log_likelihood(p: Parameters, s: Sufficient) -> Float[Array, ""]:
    """Log likelihood of one recording; `log_likelihood` from fewer numbers.

    The condition of a hard threshold, V_th > V_max, is the caller's to guarantee. Else exact where
    `threshold_noise` is 0 and no more spikes came than `compress` kept. A noisy threshold's survived voltages are
    known on a grid only: over the posteriors of 60 simulations of the `lif` preset the error varied by at
    most 0.24 nats (SD; median 0.003) with 32 nodes, 0.0009 (0.00001) with 128.

    Traced by JAX; both arguments without leading axes.

    Args:
        p: Parameters, numbers; `membrane_noise` > 0 and `measurement_noise` = 0.
        s: Sufficient statistics of the recording.
    """
    c = jnp.stack([(p.V_rest - s.V_ref) / p.tau, -1.0 / p.tau, 1.0 / p.C])
    s2 = p.membrane_noise**2 * s.dt
    residual = s.square - 2.0 * c @ s.cross + c @ s.gram @ c
    free = -s.n_steps * (0.5 * jnp.log(s2) + LOG_SQRT_2PI) - 0.5 * residual * s.dt**2 / s2
    sd = p.membrane_noise * jnp.sqrt(p.tau / 2.0)
    first = norm.logpdf(s.V_first, p.V_rest + p.tau / p.C * s.I_first, sd)
    drift = (p.V_rest - s.V_before) / p.tau + s.I_before / p.C
    margin = (s.V_before + s.dt * drift - p.V_th) / jnp.sqrt(s2 + p.threshold_noise**2)
    crossed = jnp.sum(s.weight * log_ndtr(margin))
    # A double `where`: the hard threshold's 0 / 0 must not reach the gradient.
    soft = p.threshold_noise > 0.0
    noise = jnp.where(soft, p.threshold_noise, 1.0)
    depths = depth_grid(s.survived.shape[-1])
    survived = jnp.where(soft, jnp.sum(s.survived * log_ndtr((p.V_th - s.V_max + depths) / noise)), 0.0)
    scattered = p.reset_noise > 0.0
    scatter = norm.logpdf(s.V_released, p.V_reset, jnp.where(scattered, p.reset_noise, 1.0))
    released = jnp.where(scattered, jnp.sum(s.weight * scatter), 0.0)
    return jnp.asarray(free + first + crossed + survived + released)
