r"""One step of a neuron's voltage, whatever it is made of.

.. math:: U = V + dt \left( \frac{V_{rest} - V}{\tau} + \frac{I + \sum_m i_m}{C} \right)

by Euler's method (Gerstner et al. 2014, Neuronal Dynamics, chapters 1 and 6), where C is what the soma keeps of it.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from leakyflow.neuron.parameter import Values
from leakyflow.neuron.parameters import Parameters

__all__ = ["Membrane", "Spread"]

# Newton's steps to the steady state: one where all currents are linear in V.
N_NEWTON = 4

States = tuple[Any, ...]  # of the mechanisms, in their order


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Membrane:
    """A neuron prepared for stepping; traced by JAX. Make it with `of`.

    Attributes:
        p: Its parameters, of shapes that broadcast.
        dt: Step, in ms.
        prepared: What each mechanism computed once.
        leak: dt / tau.
        gain: dt / C of the soma, in mV / pA.
    """

    p: Parameters
    dt: Any
    prepared: tuple[Any, ...]
    leak: Values
    gain: Values

    @classmethod
    def of(cls, p: Parameters, dt: Any) -> "Membrane":
        """Compute once what does not change from step to step."""
        prepared = tuple(mechanism.prepare(p, dt) for mechanism in p.mechanisms)
        C = p.C
        for mechanism, own in zip(p.mechanisms, prepared, strict=True):
            C = C if mechanism.soma is None else C * mechanism.soma(own)
        return cls(p, dt, prepared, dt / p.tau, dt / C)

    def rest(self, I: Values) -> Values:
        """Voltage at which the neuron settles under a constant current, in mV."""
        V = self.p.V_rest + self.p.tau / self.p.C * I
        if not any(mechanism.current for mechanism in self.p.mechanisms):
            return V

        def change(V: Values) -> Values:
            return self.step(self.start(V), V, I) - V

        for _ in range(N_NEWTON):
            value, slope = jax.jvp(change, (V,), (jnp.ones_like(V),))
            V = V - value / slope
        return V

    def input_resistance(self, shape: tuple[int, ...]) -> Values:
        """Steady change of the voltage by a small constant current, in GOhm: tau / C, but for sag and dendrite."""
        return self.rest(jnp.ones(shape)) - self.p.V_rest

    def start(self, V: Values) -> States:
        """Steady states of the mechanisms at a voltage."""
        return tuple(m.start(own, V) for m, own in zip(self.p.mechanisms, self.prepared, strict=True))

    def step(self, states: States, V: Values, I: Values) -> Values:
        """Voltage one step later, without noise, in mV; I holds the current noise, too."""
        return V + self.leak * (self.p.V_rest - V) + self.gain * (I + self.current(states, V))

    def current(self, states: States, V: Values) -> Values:
        """Sum of the mechanisms' currents, in pA."""
        terms = [m.current(own, state, V) for m, own, state in self._each(states) if m.current is not None]
        return sum(terms) if terms else 0.0

    def slope(self, states: States, V: Values) -> Values:
        """Derivative of `step` by V."""
        if not any(mechanism.current for mechanism in self.p.mechanisms):
            return 1.0 - self.leak
        _, slope = jax.jvp(lambda V: self.step(states, V, 0.0 * V), (V,), (jnp.ones_like(V),))
        return slope

    def threshold(self, states: States) -> Values:
        """Threshold of the next sample, in mV."""
        terms = [m.threshold(own, state) for m, own, state in self._each(states) if m.threshold is not None]
        return sum(terms, start=self.p.V_th)

    def advance(self, states: States, V: Values, spike: Values) -> States:
        """States after a sample with this voltage and this spike (0 or 1)."""
        return tuple(m.advance(own, state, V, spike) for m, own, state in self._each(states))

    def _each(self, states: States) -> Any:
        return zip(self.p.mechanisms, self.prepared, states, strict=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spread:
    """Spread of the voltage and of the current noise at rest, and how the noise goes on; make it with `of`.

    The voltage's is that of the passive membrane: conductances of mechanisms, which would narrow it a little, enter
    the first sample alone.

    Attributes:
        x: Variance of the current noise, in pA^2.
        covariance: Of voltage and current noise, in mV pA.
        V: Variance of the voltage, in mV^2.
        decay: Factor of the current noise from step to step.
        renewed: Variance that a step adds to it, in pA^2.
        diffused: Variance that the membrane noise adds to the voltage in a step, in mV^2.
    """

    x: Values
    covariance: Values
    V: Values
    decay: Values
    renewed: Values
    diffused: Values

    @classmethod
    def of(cls, p: Parameters, dt: Any) -> "Spread":
        """Of an Ornstein-Uhlenbeck current behind a leaky membrane, and of white noise on it."""
        white = p.membrane_noise**2
        if "current_noise" not in p:
            zero = jnp.zeros(())
            return cls(zero, zero, white * p.tau / 2.0, zero, zero, white * dt)
        x, slow = p.current_noise**2, p.current_noise_tau
        covariance = x / p.C * p.tau * slow / (p.tau + slow)
        rest = -dt / slow
        return cls(
            x, covariance, covariance * p.tau / p.C + white * p.tau / 2.0, jnp.exp(rest),
            -x * jnp.expm1(2.0 * rest), white * dt,
        )  # fmt: skip
