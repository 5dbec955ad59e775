"""Every mechanism: what holds of all of them, and what each is by its own equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.neuron.membrane import Membrane
from leakyflow.neuron.parameters import TABLE
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON
from tests.neuron.cases import ALL, ON

STEP = square(amplitude=220.0, onset=20.0, duration=150.0, t_max=200.0, dt=DT)


@pytest.fixture(params=MECHANISMS, ids=lambda mechanism: mechanism.name)
def mechanism(request):
    return request.param


def test_every_mechanism_has_a_row_of_values_and_rows_in_the_table(mechanism):
    names = [row.name for row in mechanism.parameters]
    assert list(ON[mechanism.name]) == names
    assert all(TABLE[name].meaning for name in names)
    assert mechanism.parameters[0].off is not None
    assert mechanism.name == names[0]


def test_at_rest_nothing_moves(mechanism):
    with jax.enable_x64(True):
        p = NEURON.replace(**ON[mechanism.name])
        membrane = Membrane.of(p, DT)
        V = membrane.rest(jnp.asarray(40.0))
        states = membrane.start(V)
        after = membrane.advance(states, V, jnp.asarray(0.0))
        np.testing.assert_allclose(jax.tree.leaves(after), jax.tree.leaves(states), atol=1e-9)
        assert membrane.step(states, V, jnp.asarray(40.0)) == pytest.approx(float(V), abs=1e-9)
        assert membrane.step(states, V, jnp.asarray(50.0)) != pytest.approx(float(V), abs=1e-3)


def test_the_slope_is_the_derivative_of_a_step(mechanism):
    with jax.enable_x64(True):
        membrane = Membrane.of(NEURON.replace(**ON[mechanism.name]), DT)
        V = jnp.asarray(-60.0)
        states = membrane.start(V)
        up, down = (membrane.step(states, V + h, jnp.asarray(0.0)) for h in (1e-4, -1e-4))
        assert float(membrane.slope(states, V)) == pytest.approx(float(up - down) / 2e-4, rel=1e-6)


def test_all_voltages_may_be_shifted_together(mechanism):
    with jax.enable_x64(True):
        p = NEURON.replace(**ON[mechanism.name])
        plain, shifted = (Membrane.of(q, DT) for q in (p, p.shifted(-65.0)))
        for spike in (0.0, 1.0):
            states = plain.advance(plain.start(jnp.asarray(-58.0)), jnp.asarray(-58.0), spike)
            moved = shifted.advance(shifted.start(jnp.asarray(7.0)), jnp.asarray(7.0), spike)
            step, other = plain.step(states, jnp.asarray(-58.0), 30.0), shifted.step(moved, jnp.asarray(7.0), 30.0)
            assert float(step) == pytest.approx(float(other) - 65.0, abs=1e-9)
            assert float(plain.threshold(states)) == pytest.approx(float(shifted.threshold(moved)) - 65.0, abs=1e-9)


def test_what_is_nearly_off_does_nearly_nothing_and_what_is_on_something(mechanism):
    quiet = NEURON.replace(membrane_noise=0.0, reset_noise=0.0, V_th=-40.0)
    without = simulate(quiet, STEP, seed=1)
    faint = simulate(quiet.replace(**ON[mechanism.name] | {mechanism.name: 1e-9}), STEP, seed=1)
    present = simulate(quiet.replace(**ON[mechanism.name]), STEP, seed=1)
    assert without.spikes.sum() >= 3
    np.testing.assert_array_equal(faint.spikes, without.spikes)
    np.testing.assert_allclose(faint.V, without.V, atol=1e-4)
    assert np.abs(present.V - without.V).max() > 0.5


def written_out(p, I, dt):
    """The equations of all mechanisms, without noise, in plain Python."""
    tau, C, rest = p.tau, p.C, p.V_rest
    share, g = p.dendrite_share, p.C * p.dendrite_share * (1 - p.dendrite_share) / p.dendrite_tau
    leak_s, leak_d, g_sag = (1 - share) * C / tau, share * C / tau, p.sag * C / tau
    # At rest the dendrite follows the soma, and the sag opposes it.
    seen = leak_s + g_sag + g * leak_d / (g + leak_d)
    V = rest + I[0] / seen
    d, w, follow = (V - rest) * g / (g + leak_d), V - rest, V - rest
    fast = slow = jump = 0.0
    held, trace, spikes, spiked = 0, [], [], 0.0
    for current in I:
        trace.append(V)
        spikes.append(spiked > 0)
        fast = fast * np.exp(-dt / p.ahp_fast_tau) + spiked
        slow = slow * np.exp(-dt / p.ahp_slow_tau) + spiked
        jump = jump * np.exp(-dt / p.threshold_jump_tau) + spiked
        w += (1 - np.exp(-dt / p.sag_tau)) * (V - rest - w)
        follow += (1 - np.exp(-dt / p.threshold_coupling_tau)) * (V - rest - follow)
        d += dt * (-leak_d * d + g * (V - rest - d)) / (share * C)
        total = current + p.ahp_fast * fast + p.ahp_slow * slow - g_sag * w + g * (d - (V - rest))
        U = V + dt * ((rest - V) / tau + total / ((1 - share) * C))
        theta = p.V_th + p.threshold_jump * jump + p.threshold_coupling * follow
        spiked, held = 0.0, max(held - 1, 0)
        if held > 0:
            continue
        if theta <= U:
            spiked, held, V = 1.0, round(p.t_ref / dt) + 1, p.V_reset
        else:
            V = U
    return np.array(trace), np.array(spikes)


def test_all_mechanisms_together_follow_their_equations():
    p = NEURON.replace(**ALL, membrane_noise=0.0, reset_noise=0.0)
    step = square(amplitude=400.0, onset=20.0, duration=250.0, t_max=300.0, dt=DT, holding=15.0)
    recording = simulate(p, step, seed=1)
    V, spikes = written_out(p, step.I.astype(float), DT)
    assert spikes.sum() >= 4
    np.testing.assert_array_equal(recording.spikes, spikes)
    np.testing.assert_allclose(recording.V, V, atol=1e-4)
    other, _ = written_out(p.replace(sag=0.6), step.I.astype(float), DT)
    assert np.abs(recording.V - other).max() > 0.1
