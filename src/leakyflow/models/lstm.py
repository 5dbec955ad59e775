"""Two stacked LSTM layers in JAX, from patches of a trace to the state at its end.

Keras compiles the layers one after the other, every recording to the end of the longest, and its gradient writes and
reads each intermediate value in main memory. Here a step goes through both layers at once, the gradients of the weights
are summed up in the cache, and recordings of like length go together in groups, each to its own end.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

__all__ = ["Layer", "last_state"]


class Layer(NamedTuple):
    """Weights of an LSTM layer as Keras has them: input, forget, candidate and output gate side by side."""

    kernel: Float[Array, "feature gate"]
    recurrent: Float[Array, "unit gate"]
    bias: Float[Array, " gate"]


Layers = tuple[Layer, Layer]
Patches = Float[Array, "dataset patch feature"]
Lengths = Int[Array, " dataset"]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def last_state(layers: Layers, patches: Patches, n_patches: Lengths, group: int) -> Float[Array, "dataset unit"]:
    """State of the second layer after each recording's last patch.

    The patches have no gradient: they are data.

    Args:
        layers: The lower and the upper.
        patches: Of each recording, padded.
        n_patches: How many belong to the recording; the others have no influence.
        group: Recordings that go through the layers together.

    References:
        Hochreiter & Schmidhuber (1997), Neural Computation 9:1735; with forget gates, Gers, Schmidhuber & Cummins
        (2000), Neural Computation 12:2451.
    """
    groups = _grouped(patches, n_patches, group)
    states = jax.lax.map(lambda own: _forward(layers, own[0], own[1], None)[0], (groups.patches, groups.n_patches))
    return groups.ungrouped(states)


class _Groups(NamedTuple):
    """Recordings sorted by length, some at a time."""

    order: Int[Array, " dataset"]  # of the recordings
    patches: Float[Array, "group patch row feature"]
    n_patches: Int[Array, "group row"]  # 0 where the last group has no recording

    def grouped(self, values: Float[Array, "dataset unit"]) -> Float[Array, "group row unit"]:
        values = _padded(values[self.order], self.n_patches.shape[1])
        return values.reshape(*self.n_patches.shape, -1)

    def ungrouped(self, values: Float[Array, "group row unit"]) -> Float[Array, "dataset unit"]:
        values = values.reshape(-1, values.shape[-1])[: len(self.order)]
        return jnp.zeros_like(values).at[self.order].set(values)


def _padded(values: Array, group: int) -> Array:
    """Rows of zeros, up to whole groups."""
    return jnp.pad(values, [(0, -len(values) % group)] + [(0, 0)] * (values.ndim - 1))


def _grouped(patches: Patches, n_patches: Lengths, group: int) -> _Groups:
    order = jnp.argsort(n_patches)
    rows = _padded(patches[order], group)
    rows = rows.reshape(-1, group, *rows.shape[1:])
    return _Groups(order, jnp.swapaxes(rows, 1, 2), _padded(n_patches[order], group).reshape(-1, group))


class _Step(NamedTuple):
    """What a layer's step needs again in the gradient, of shape (row, unit) each."""

    h: Array  # before the step
    c: Array  # before the step
    i: Array
    f: Array
    g: Array
    o: Array


def _step(layer: Layer, x: Array, h: Array, c: Array) -> tuple[Array, Array, _Step]:
    i, f, g, o = jnp.split(x @ layer.kernel + h @ layer.recurrent + layer.bias, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    new = f * c + i * g
    return o * jnp.tanh(new), new, _Step(h, c, i, f, g, o)


def _forward(layers: Layers, x: Array, n: Array, kept: tuple[_Step, _Step] | None) -> tuple[Array, tuple | None]:
    """One group to the end of its longest recording; `kept` of shape (patch, row, unit) takes what gradients need."""
    lower, upper = layers

    def body(t: Array, carry: tuple) -> tuple:
        (h_1, c_1), (h_2, c_2), state, kept = carry
        h_1, c_1, step_1 = _step(lower, x[t], h_1, c_1)
        h_2, c_2, step_2 = _step(upper, h_1, h_2, c_2)
        if kept is not None:
            kept = jax.tree.map(lambda all_of_them, one: all_of_them.at[t].set(one), kept, (step_1, step_2))
        return (h_1, c_1), (h_2, c_2), jnp.where((t == n - 1)[:, None], h_2, state), kept

    zero = jnp.zeros((len(n), len(upper.recurrent)), x.dtype)
    *_, state, kept = jax.lax.fori_loop(0, n.max(), body, ((zero, zero), (zero, zero), zero, kept))
    return state, kept


def _step_back(layer: Layer, step: _Step, dh: Array, dc: Array) -> tuple[Array, Array, Array]:
    """Gradients of the gates' inputs and of c before the step, from those of h and c after it; and that h."""
    _, c, i, f, g, o = step
    t = jnp.tanh(f * c + i * g)
    dc = dc + dh * o * (1 - t * t)
    dz = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * t * o * (1 - o)]
    return jnp.concatenate(dz, axis=-1), dc * f, o * t


def _backward(layers: Layers, x: Array, n: Array, kept: tuple[_Step, _Step], d: Array, total: Layers) -> Layers:
    """Add one group's gradients of the weights to the total."""
    lower, upper = layers
    longest = n.max()

    def body(k: Array, carry: tuple) -> tuple:
        (dh_1, dc_1), (dh_2, dc_2), (d_lower, d_upper) = carry
        t = longest - 1 - k
        step_1, step_2 = jax.tree.map(lambda all_of_them: all_of_them[t], kept)
        dz, dc_2, _ = _step_back(upper, step_2, dh_2 + jnp.where((t == n - 1)[:, None], d, 0.0), dc_2)
        dh_1, dh_2 = dh_1 + dz @ upper.kernel.T, dz @ upper.recurrent.T
        below, dc, h_1 = _step_back(lower, step_1, dh_1, dc_1)
        d_upper = _added(d_upper, h_1, step_2.h, dz)
        d_lower = _added(d_lower, x[t], step_1.h, below)
        return (below @ lower.recurrent.T, dc), (dh_2, dc_2), (d_lower, d_upper)

    zero = jnp.zeros_like(d)
    return jax.lax.fori_loop(0, longest, body, ((zero, zero), (zero, zero), total))[-1]


def _added(total: Layer, x: Array, h: Array, dz: Array) -> Layer:
    return Layer(total.kernel + x.T @ dz, total.recurrent + h.T @ dz, total.bias + dz.sum(0))


def _with_residuals(layers: Layers, patches: Patches, n_patches: Lengths, group: int) -> tuple[Array, tuple]:
    groups = _grouped(patches, n_patches, group)
    zero = jnp.zeros((patches.shape[1], group, len(layers[1].recurrent)), patches.dtype)
    blank = _Step(*(zero,) * len(_Step._fields))

    def one(own: tuple[Array, Array]) -> tuple[Array, tuple | None]:
        return _forward(layers, own[0], own[1], (blank, blank))

    states, kept = jax.lax.map(one, (groups.patches, groups.n_patches))
    return groups.ungrouped(states), (layers, groups, kept)


def _gradient(group: int, residuals: tuple, d: Array) -> tuple[Layers, None, None]:
    layers, groups, kept = residuals

    def one(total: Layers, own: tuple[Array, Array, tuple[_Step, _Step], Array]) -> tuple[Layers, None]:
        return _backward(layers, own[0], own[1], own[2], own[3], total), None

    zero = jax.tree.map(jnp.zeros_like, layers)
    total, _ = jax.lax.scan(one, zero, (groups.patches, groups.n_patches, kept, groups.grouped(d)))
    return total, None, None


last_state.defvjp(_with_residuals, _gradient)
