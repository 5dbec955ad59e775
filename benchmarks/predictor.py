"""How far the predictor's likelihood is from the truth where it is not exact: against a particle filter.

    python benchmarks/predictor.py

With measurement noise, or current noise, a voltage is not normal after a threshold that it did or did not cross, and
mechanisms follow its mean. For neurons with the noises of real cells the log likelihood of one recording is compared
with that of a particle filter (bootstrap over the current noise, optimal proposal for the voltage), whose own error is
told from independent runs. Results go to benchmarks/results/predictor.json.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import leakyflow as lf
from leakyflow.likelihood.normal import log_ndtr
from leakyflow.likelihood.scan import Trace, scan_log_likelihood, trace_of
from leakyflow.neuron.membrane import Membrane, Spread
from leakyflow.recordings.batch import Batch

RESULTS = Path(__file__).parent / "results" / "predictor.json"
PASSIVE = {"tau": 18.0, "V_rest": -70.0, "C": 120.0, "V_th": -48.0, "V_reset": -58.0, "reset_noise": 2.0, "t_ref": 3.0}
SPIKING = {"ahp_fast": -150.0, "ahp_fast_tau": 8.0, "ahp_slow": -15.0, "ahp_slow_tau": 120.0}
THRESHOLD = {
    "threshold_jump": 3.0,
    "threshold_jump_tau": 20.0,
    "threshold_coupling": 0.4,
    "threshold_coupling_tau": 8.0,
}
SHAPE = {"sag": 0.4, "sag_tau": 60.0, "dendrite_share": 0.3, "dendrite_tau": 2.0, "R_s": 0.008}
CURRENT = {"current_noise": 8.0, "current_noise_tau": 5.0}
NEURONS = {
    "membrane noise alone (exact)": {"membrane_noise": 0.2, "threshold_noise": 1.5},
    "measurement 0.05 mV": {"membrane_noise": 0.1, "threshold_noise": 1.5, "measurement_noise": 0.05},
    "measurement 0.3 mV": {"membrane_noise": 0.2, "threshold_noise": 1.0, "measurement_noise": 0.3},
    "current 8 pA": {"threshold_noise": 1.5, **CURRENT, "membrane_noise": 0.02},
    "current 8 pA, measurement 0.05 mV": {"threshold_noise": 1.5, **CURRENT, "measurement_noise": 0.05},
    "the same, threshold noise 0.5 mV": {"threshold_noise": 0.5, **CURRENT, "measurement_noise": 0.05},
    "all mechanisms": {
        "threshold_noise": 1.0, **CURRENT, "measurement_noise": 0.05, **SPIKING, **THRESHOLD, **SHAPE,
    },
    "all mechanisms, measurement 0.2 mV": {
        "threshold_noise": 1.0, **CURRENT, "measurement_noise": 0.2, **SPIKING, **THRESHOLD, **SHAPE,
    },
}  # fmt: skip


@partial(jax.jit, static_argnames="n")
def particle_log_likelihood(p: lf.Parameters, trace: Trace, key: jax.Array, n: int) -> jax.Array:
    """Estimate the log likelihood of one sweep by n particles."""
    y, I, electrode, spikes, free, dt = trace
    y = y[:, 0] - p.R_s * electrode[:, 0]
    I, spikes, free = I[:, 0], spikes[:, 0], free[:, 0]
    membrane, spread = Membrane.of(p, dt), Spread.of(p, dt)
    R, D = p.measurement_noise**2, spread.diffused

    def see(key: jax.Array, m: Any, P: Any, y: Any) -> tuple[Any, Any]:
        """Draw a voltage given y, and weigh by the density of y."""
        S = P + R
        gain = jnp.where(S > 0, P / jnp.where(S > 0, S, 1.0), 0.0)
        v = m + gain * (y - m) + jnp.sqrt(gain * R) * jax.random.normal(key, (n,))
        return v, jax.scipy.stats.norm.logpdf(y, m, jnp.sqrt(S))

    first, second, key = jax.random.split(key, 3)
    X = jnp.where(spread.x > 0, spread.x, 1.0)
    x = jnp.sqrt(spread.x) * jax.random.normal(first, (n,))
    rest = membrane.rest(I[0])
    states = jax.tree.map(lambda s: jnp.broadcast_to(s, (n,)), membrane.start(rest))
    V, log_w = see(second, rest + spread.covariance / X * x, spread.V - spread.covariance**2 / X, y[0])

    def step(carry: Any, inputs: Any) -> Any:
        V, x, states, log_w, total, key = carry
        y, I, spiked, spike, free = inputs
        key, k1, k2, k3, k4 = jax.random.split(key, 5)
        shift = jax.scipy.special.logsumexp(log_w) - jnp.log(n)
        w = jnp.exp(log_w - shift)
        low = w.sum() ** 2 / (w**2).sum() < n / 2
        index = jnp.searchsorted(jnp.cumsum(w) / w.sum(), (jnp.arange(n) + jax.random.uniform(k1)) / n)
        index = jnp.where(low, jnp.minimum(index, n - 1), jnp.arange(n))
        V, x = V[index], x[index]
        states = jax.tree.map(lambda s: s[index], states)
        total, log_w = jnp.where(low, total + shift, total), jnp.where(low, 0.0, log_w)
        states = membrane.advance(states, V, spiked)
        m = membrane.step(states, V, I + x)
        theta = membrane.threshold(states)
        seen, density = see(k2, m, D, y)
        released, release = see(k3, p.V_reset, p.reset_noise**2, y)
        log_free = density + log_ndtr((theta - seen) / p.threshold_noise)
        log_spike = release + log_ndtr((m - theta) / jnp.sqrt(p.threshold_noise**2 + D))
        log_w = log_w + jnp.where(free > 0, log_free, jnp.where(spike > 0, log_spike, 0.0))
        V = jnp.where(free > 0, seen, jnp.where(spike > 0, released, V))
        x = spread.decay * x + jnp.sqrt(spread.renewed) * jax.random.normal(k4, (n,))
        return (V, x, states, log_w, total, key), None

    start = (V, x, states, log_w, jnp.zeros(()), key)
    (_, _, _, log_w, total, _), _ = jax.lax.scan(step, start, (y[1:], I[:-1], spikes[:-1], spikes[1:], free[1:]))
    return total + jax.scipy.special.logsumexp(log_w) - jnp.log(n)


def main() -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=20_000)
    parser.add_argument("--recordings", type=int, default=4)
    given = parser.parse_args()
    rows = []
    with jax.enable_x64(True):
        for name, entries in NEURONS.items():
            p = lf.Parameters(**PASSIVE, **entries)
            amplitude = 190.0 if "all" not in name else 420.0
            stimulus = lf.square(amplitude=amplitude, onset=60.0, duration=300.0, t_max=400.0, dt=0.2)
            for seed in range(given.recordings):
                recording = lf.simulate(p, stimulus, seed=seed)
                trace = trace_of(Batch.from_list([recording]))
                exact = [float(particle_log_likelihood(p, trace, jax.random.key(i), given.particles)) for i in range(4)]
                row = {"neuron": name, "seed": seed, "spikes": int(recording.spikes.sum())}
                row["predictor"] = float(scan_log_likelihood(p, trace)[0])
                row["error"] = row["predictor"] - float(np.mean(exact))
                row["error_sd"] = float(np.std(exact, ddof=1)) / 2.0
                rows.append(row)
                print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
