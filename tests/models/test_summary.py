import jax
import keras
import numpy as np
import pytest

from leakyflow.models.config import SummaryConfig
from leakyflow.models.summary import CHANNELS, RecordingSummary, Standardize, trace_channels
from leakyflow.recordings.batch import Batch
from tests.cases import simulated, simulator, spoiled

KINDS = ("statistics", "lstm", "both")
PATCHES = (1, 7, 25)
N_LOCAL, N_STATISTICS = 3, 5
# Shortest and longest of 10 recordings; 140 samples are 20 patches of 7 and no whole number of 25.
N_TIME = 140


@pytest.fixture(scope="module")
def recordings() -> Batch:
    """The first samples of simulations, cut to different lengths."""
    _, all_of_it = simulated(simulator(), 10)
    cut = {name: getattr(all_of_it, name)[:, :N_TIME].copy() for name in ("V", "I", "spikes", "refractory")}
    cut["spikes"][:, 40::31] = True
    n_samples = np.linspace(50, N_TIME, 10).astype(np.int32)
    return spoiled(Batch(**cut, n_samples=n_samples, dt=all_of_it.dt, names=all_of_it.names))


def inputs(recordings: Batch, kind: str, patch: int, n_time: int = N_TIME) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    arrays = {"local": rng.normal(size=(10, N_LOCAL)).astype(np.float32)}
    if kind != "lstm":
        arrays["statistics"] = rng.normal(size=(10, N_STATISTICS)).astype(np.float32)
    if kind != "statistics":
        arrays |= trace_channels(recordings, n_time, patch)
    return {name: values[: len(recordings)] for name, values in arrays.items()}


def built(kind: str, patch: int = 25, seed: int = 1) -> RecordingSummary:
    keras.utils.set_random_seed(seed)
    network = RecordingSummary({"variant": kind, "widths": (8, 6), "lstm_units": 4, "patch": patch})
    shapes = {
        "local": (1, N_LOCAL),
        "statistics": (1, N_STATISTICS),
        "trace": (1, len(CHANNELS), N_TIME + -N_TIME % patch),
        "n_samples": (1, 1),
    }
    wanted = {
        "local",
        *(["statistics"] if kind != "lstm" else []),
        *(["trace", "n_samples"] if kind != "statistics" else []),
    }
    network.build({name: shape for name, shape in shapes.items() if name in wanted})
    if "trace" in wanted:
        network.standardize["trace"].adapt(np.array([-65.0, 80.0]), np.array([8.0, 100.0]))
    return network


def summarize(network: RecordingSummary, x: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(jax.jit(lambda x: network(x))(x))


@pytest.mark.parametrize("patch", PATCHES)
def test_trace_holds_what_was_recorded_and_how_long_it_is(recordings, patch):
    inputs = trace_channels(recordings, N_TIME, patch)
    trace, n_samples = inputs["trace"], inputs["n_samples"]
    assert trace.shape[2] % patch == 0
    assert 0 <= trace.shape[2] - N_TIME < patch
    for channels, n, recording in zip(trace, n_samples, recordings, strict=True):
        assert n == recording.n_samples
        expected = np.stack([getattr(recording, name) for name in CHANNELS])
        np.testing.assert_array_equal(channels[:, : recording.n_samples], expected)


def test_every_recording_is_padded_to_the_longest_duration(recordings):
    assert trace_channels(recordings, 300, 25)["trace"].shape == (10, 3, 300)


def test_rows_are_taken_in_the_shape_that_they_are_asked_for_in(recordings):
    rows = np.array([[3, 1, 4], [1, 5, 9]])
    some, everyone = trace_channels(recordings, N_TIME, 7, rows), trace_channels(recordings, N_TIME, 7)
    assert some["trace"].shape == (2, 3, 3, N_TIME)
    for name, values in some.items():
        np.testing.assert_array_equal(values[1, 2], everyone[name][9])


@pytest.mark.parametrize(("kind", "patch"), [("lstm", 1), ("lstm", 7), ("lstm", 25), ("both", 25), ("statistics", 25)])
def test_padding_has_no_influence_at_all(recordings, kind, patch):
    """Whatever the padding holds; and, up to the order of sums, however long it is."""
    network = built(kind, patch)
    x = inputs(recordings, kind, patch)
    clean = inputs(Batch.from_list(list(recordings)), kind, patch)
    summary = summarize(network, x)
    assert np.isfinite(summary).all()
    np.testing.assert_array_equal(summarize(network, clean), summary)
    longer = inputs(spoiled(recordings, extra=90), kind, patch, N_TIME + 90)
    np.testing.assert_allclose(summarize(network, longer), summary, atol=1e-6)


def test_a_valid_sample_has_influence(recordings):
    """The control: the last valid sample of each recording, changed, changes its summary."""
    network = built("lstm", 7)
    x = inputs(recordings, "lstm", 7)
    changed = x["trace"].copy()
    changed[np.arange(10), 0, recordings.n_samples - 1] += 20.0
    pairs = {name: np.concatenate([values, values]) for name, values in x.items()}
    pairs["trace"][10:] = changed
    both = summarize(network, pairs)
    assert np.all(np.abs(both[10:] - both[:10]).max(1) > 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_summary_is_the_last_layer_of_each_branch_and_the_local_coordinates(recordings, kind):
    network = built(kind)
    x = inputs(recordings, kind, 25)
    summary = summarize(network, x)
    shapes = {name: values.shape for name, values in x.items()}
    assert summary.shape == (10, 6 * (2 if kind == "both" else 1) + N_LOCAL) == network.compute_output_shape(shapes)
    np.testing.assert_allclose(summary[:, -N_LOCAL:], np.arcsinh(x["local"]), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_each_recording_is_summarized_by_itself(recordings, kind):
    network = built(kind)
    x = inputs(recordings, kind, 25)
    together = summarize(network, x)
    alone = summarize(network, {name: values[3:4] for name, values in x.items()})
    np.testing.assert_allclose(alone[0], together[3], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_fixes_the_initial_weights(kind):
    one, same, other = (built(kind, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_settings_are_taken():
    network = built("both")
    assert network.get_config()["summary"] == {"variant": "both", "widths": (8, 6), "lstm_units": 4, "patch": 25}
    assert [layer.units for layer in network.recurrent] == [4, 4]
    assert [[layer.units for layer in branch.layers] for branch in network.branches.values()] == [
        [8, 6],
        [8, 6],
    ]
    with pytest.raises(ValueError, match=r"lstm_unit\n.*[Uu]nexpected"):
        RecordingSummary({"lstm_unit": 4})
    with pytest.raises(ValueError, match="must hold 1 to 64 layers"):
        SummaryConfig(widths=())


@pytest.fixture
def layer() -> Standardize:
    layer = Standardize()
    layer.build((1, 3))
    return layer


def test_standardize_is_arcsinh_of_the_standard_score(layer):
    mean, sd = np.array([1.0, -70.0, 5.0]), np.array([2.0, 8.0, 0.0])
    layer.adapt(mean, sd)
    x = np.array([[3.0, -62.0, 5.0], [1.0, -70.0, 7.0]], np.float32)
    # A feature that does not vary is only centred.
    expected = np.arcsinh([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)


def test_standardize_tames_what_was_never_seen(layer):
    layer.adapt(np.zeros(3), np.ones(3))
    assert np.all(np.abs(np.asarray(layer(np.full((1, 3), 1e30, np.float32)))) < 100)


def test_standardize_saves_and_restores_mean_and_sd(layer, tmp_path):
    mean, sd = np.array([1.0, -70.0, 5.0]), np.array([2.0, 8.0, 0.5])
    layer.adapt(mean, sd)
    np.savez(tmp_path / "layer.npz", *layer.get_weights())
    fresh = Standardize()
    fresh.build((1, 3))
    with np.load(tmp_path / "layer.npz") as saved:
        fresh.set_weights(list(saved.values()))
    np.testing.assert_allclose(fresh.mean, mean)
    np.testing.assert_allclose(fresh.sd, sd)
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(fresh(x), layer(x))
    assert not fresh.trainable_variables
