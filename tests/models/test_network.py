import random
from dataclasses import replace

import numpy as np
import pytest

from leakyflow.models.config import FlowConfig, NetworkConfig, SummaryConfig
from leakyflow.models.network import Network
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.prior import Prior
from tests.cases import NEURON, STANDARD, simulated, simulator, spoiled
from tests.fresh import run_python


def config(
    kind: str = "statistics",
    normalization: str = "activation",
    *,
    summary: dict | None = None,
    flow: dict | None = None,
) -> NetworkConfig:
    return NetworkConfig(
        summary=SummaryConfig(**({"variant": kind, "widths": (8,), "lstm_units": 4} | (summary or {}))),
        flow=FlowConfig(**({"depth": 2, "widths": (8,), "normalization": normalization} | (flow or {}))),
        # Local coordinates have their own tests, and take seconds to compile.
        standardize="prior",
    )


# Every kind and every normalization.
ARCHITECTURES = {
    "statistics, batch normalization": config("statistics", "batch"),
    "trace, actnorm": config("lstm", "activation"),
    "both, no normalization, splines": config("both", "none", flow={"transform": "spline"}),
}
OTHERS = {
    "deeper": config(flow={"depth": 3}),
    "shallower": config(flow={"depth": 1}),
    "splines": config(flow={"transform": "spline"}),
    "wider couplings": config(flow={"widths": (9,)}),
    "more layers in the couplings": config(flow={"widths": (8, 8)}),
    "no normalization": config(normalization="none"),
    "batch normalization": config(normalization="batch"),
    "wider summary": config(summary={"widths": (9,)}),
    "more layers in the summary": config(summary={"widths": (8, 8)}),
    "trace": config("lstm"),
    "both": config("both"),
    "no correlations": replace(config(), untold="correlations"),
}


@pytest.fixture(scope="module")
def recordings() -> Batch:
    return simulated(simulator(), 8)[1]


def made(network_config: NetworkConfig, *, seed: int | None = 1, prior: str = "standard") -> Network:
    return Network(network_config, simulator(prior), seed=seed)


def trained(network: Network, recordings: Batch) -> Network:
    """As after some training: inputs standardized, no weight where it began."""
    network.adapt(network.features(recordings).arrays, recordings if network.config.summary.trace else None)
    rng = np.random.default_rng(1)
    for weight in network.approximator.trainable_weights:
        weight.assign(np.asarray(weight) + 0.1 * rng.normal(size=weight.shape))
    return network


def outputs(network: Network, recordings: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Summaries, and densities somewhere."""
    w = np.random.default_rng(2).normal(size=(len(recordings), len(network.names))).astype(np.float32)
    summary = network.summarize(network.inputs(network.features(recordings), recordings))
    return summary, network.log_density(w, summary)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_saved_weights_give_back_identical_outputs(architecture, recordings, tmp_path):
    network = trained(made(architecture), recordings)
    expected = outputs(network, recordings)
    network.save_weights(tmp_path / "network.h5")
    for seed in (2, None):
        fresh = made(architecture, seed=seed)
        fresh.load_weights(tmp_path / "network.h5")
        for again, value in zip(outputs(fresh, recordings), expected, strict=True):
            assert np.isfinite(value).all()
            np.testing.assert_array_equal(again, value)


def test_files_of_equal_weights_are_equal_whatever_else_the_process_has_built(tmp_path):
    first, second, other = made(config()), made(config()), made(config(), seed=2)
    for name, network in (("first", first), ("second", second), ("other", other)):
        network.save_weights(tmp_path / name)
    assert first.approximator.weights[0].path != second.approximator.weights[0].path
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes() != (tmp_path / "other").read_bytes()


@pytest.fixture(scope="module")
def base() -> Network:
    return made(config())


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_weights_of_another_architecture_are_refused(base, other, tmp_path):
    """Either way: Keras by itself would load a deeper network's weights into a shallower one."""
    another = made(other)
    for source, target in ((another, base), (base, another)):
        source.save_weights(tmp_path / "network.h5")
        before = target.approximator.get_weights()
        with pytest.raises(ValueError, match="Build the network from the configuration"):
            target.load_weights(tmp_path / "network.h5")
        for weight, value in zip(target.approximator.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, value)


def test_weights_for_other_parameters_are_refused(base, tmp_path):
    base.save_weights(tmp_path / "network.h5")
    with pytest.raises(ValueError, match="do not match"):
        made(config(), prior="recording").load_weights(tmp_path / "network.h5")


def test_the_seed_fixes_the_initial_weights():
    one, same, other = (made(config("both"), seed=seed).approximator.get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


RANDOM_NUMBERS = """
import random
import keras
import numpy as np
from tests.models.test_network import config, made

def drawn():
    return random.random(), np.random.random(), float(keras.random.uniform(()))

for seed in ("no network", None, 1):
    random.seed(5), np.random.seed(6), keras.utils.set_random_seed(7)
    first = drawn()
    if seed != "no network":
        made(config("both"), seed=seed)
    print(*first, *drawn())
"""


def test_building_a_network_leaves_random_numbers_of_others_alone():
    """Version 0.1.0 reseeded Python and NumPy. In an interpreter without type checks, which draw some themselves."""
    without, *others = run_python(RANDOM_NUMBERS).stdout.splitlines()
    assert others == [without, without]


def test_initial_weights_do_not_depend_on_what_others_drew():
    random.seed(1)
    one = made(config("both")).approximator.get_weights()
    random.seed(2)
    again = made(config("both")).approximator.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_without_a_seed_weights_are_0(architecture):
    blank, seeded = (made(architecture, seed=seed).approximator.get_weights() for seed in (None, 1))
    assert [(a.shape, a.dtype) for a in blank] == [(a.shape, a.dtype) for a in seeded]
    assert not any(a.any() for a in blank)
    assert any(a.any() for a in seeded)  # the next network begins as ever


COMPILATIONS = """
import jax
from leakyflow.models.network import Network
from tests.cases import simulator
from tests.models.test_network import config

found = []
jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: found.append(event))
for seed in (None, None, 1):
    found.clear()
    Network(config(), simulator(), seed=seed)
    print(sum("backend_compile" in event for event in found))
"""


def test_without_a_seed_nothing_is_compiled_but_what_inference_needs():
    """The first compiles the statistics; the next has nothing left to compile, unless a seed makes it draw weights."""
    first, blank, seeded = map(int, run_python(COMPILATIONS).stdout.split())
    assert first > 0  # compilations are seen
    assert blank == 0
    assert seeded > 5


def test_density_is_that_of_the_draws(base, recordings):
    """By the change of variables: the latent's density less the log-det of the map to w, by differences."""
    network = trained(made(config("statistics")), recordings)
    summary = network.summarize(network.inputs(network.features(recordings)))
    step, latent = 1e-2, np.random.default_rng(2).normal(size=(8, 4))
    nudges = step * np.concatenate([np.eye(4), -np.eye(4)])
    rows = (latent[:, None] + nudges).reshape(-1, 4).astype(np.float32)
    w = network.from_latent(rows, np.repeat(summary, 8, axis=0))[0].reshape(8, 8, 4).astype(float)
    jacobian = (w[:, :4] - w[:, 4:]) / (2 * step)
    expected = -0.5 * (latent**2).sum(1) - 2 * np.log(2 * np.pi) - np.linalg.slogdet(jacobian)[1]
    w, log_q = network.from_latent(latent.astype(np.float32), summary)
    np.testing.assert_allclose(network.log_density(w, summary), expected, atol=1e-2)
    # The way there and the way back differ by what single precision leaves of some ten nats.
    np.testing.assert_allclose(log_q, network.log_density(w, summary), atol=1e-4)


@pytest.mark.parametrize("kind", ["statistics", "lstm", "both"])
def test_padding_has_no_influence_on_any_input(kind, recordings):
    network = made(config(kind))
    clean = network.inputs(network.features(recordings), recordings)
    dirty = spoiled(recordings)
    found = network.inputs(network.features(dirty), dirty)
    np.testing.assert_array_equal(network.summarize(found), network.summarize(clean))


def test_a_single_parameter_has_a_network_too(recordings):
    """A coupling splits its input in two; a single parameter it transforms as a whole."""
    prior = Prior(dict(NEURON) | {"V_rest": STANDARD["V_rest"]})
    network = Network(config(), replace(simulator(), prior=prior), seed=1)
    assert network.names == ("V_rest",)
    trained(network, recordings)
    summary = network.summarize(network.inputs(network.features(recordings)))
    w = np.linspace(-12.0, 12.0, 512, dtype=np.float32)
    for row in summary:
        density = np.exp(network.log_density(w[:, None], np.tile(row, (512, 1))))
        assert np.trapezoid(density, w) == pytest.approx(1.0, abs=1e-3)


def test_a_trace_network_without_recordings_says_what_to_pass(recordings):
    network = made(config("lstm"))
    with pytest.raises(ValueError, match="pass the recordings beside their features"):
        network.inputs(network.features(recordings))


def test_something_else_than_weights_is_refused(base, tmp_path):
    (tmp_path / "network.h5").write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match=r"the file of weights cannot be read.*signature"):
        base.load_weights(tmp_path / "network.h5")
