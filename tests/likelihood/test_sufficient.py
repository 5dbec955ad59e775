import jax
import numpy as np
import pytest

from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.sufficient import Sufficient, compress, compressed_log_likelihood, spike_columns
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from tests.cases import NEURON, PRIORS, recorded, simulated, simulator, spoiled, stimulated

NOISY = NEURON.replace(threshold_noise=1.5)

batched = jax.jit(jax.vmap(compressed_log_likelihood, in_axes=(0, None)))


def rows(sufficient: Sufficient, index: slice | int) -> Sufficient:
    return Sufficient._make(value if isinstance(value, float) else value[index] for value in sufficient)


def compressed(
    parameters: Parameters, recording: Recording, *, n_spikes: int = 32, n_depths: int = 32, **changes: object
) -> np.ndarray:
    """`compressed_log_likelihood` of one recording at many parameters."""
    kept = compress(Batch.from_list([recording]), n_spikes=n_spikes, n_depths=n_depths)
    sufficient = rows(kept, 0)._replace(**changes)
    shape = np.broadcast_shapes(*(np.shape(value) for value in parameters.values()))
    flat = parameters.map(lambda value: np.broadcast_to(np.asarray(value, float), shape).ravel())
    return np.asarray(batched(flat, sufficient)).reshape(shape)


@pytest.mark.parametrize("reset_noise", [0.0, 5.0])
@pytest.mark.parametrize("amplitude", [0.0, 150.0, 220.0])
def test_hard_threshold_loses_nothing(amplitude, reset_noise):
    recording = stimulated(amplitude, t_max=400.0, reset_noise=reset_noise)
    assert recording.spikes.sum() <= 32
    V_max = recording.V[recording.free].max()
    theta = PRIORS["eight"].sample(100, seed=2)
    theta = theta.replace(
        threshold_noise=np.zeros(100),
        V_th=np.maximum(theta.V_th, V_max + 0.1),
        reset_noise=np.full(100, reset_noise),
    )
    exact = log_likelihood(theta, recording)
    np.testing.assert_allclose(compressed(theta, recording), exact, rtol=1e-8)


def test_with_a_column_for_each_spike_nothing_is_lost():
    recording = stimulated(900.0, t_max=400.0)
    n_spikes = int(recording.spikes.sum())
    assert 64 < n_spikes <= 128
    theta = NEURON.replace(tau=np.linspace(12.0, 22.0, 11), V_th=np.linspace(-44.9, -40.0, 11))
    exact = log_likelihood(theta, recording)
    np.testing.assert_allclose(compressed(theta, recording, n_spikes=128), exact, rtol=1e-8)
    # A third of the spikes is another data set.
    assert np.ptp(compressed(theta, recording, n_spikes=32) - exact) > 0.1


def noisy_differences(**changes: object) -> np.ndarray:
    """Compressed less exact log likelihood over the plausible thresholds and threshold noises, in nats."""
    grid = {"V_th": np.linspace(-50.0, -35.0, 61)[:, None], "threshold_noise": np.geomspace(0.4, 5.0, 20)}
    largest = []
    for amplitude, seed in [(100.0, 1), (160.0, 2), (200.0, 3)]:
        recording = stimulated(amplitude, seed=seed, t_max=400.0, threshold_noise=1.5)
        assert recording.spikes.sum() <= 32
        theta = NOISY.replace(**grid)
        exact = log_likelihood(theta, recording)
        difference = compressed(theta, recording, **changes) - exact
        # 3 nats below the largest, a region of 95 % for two parameters.
        plausible = exact > exact.max() - 3.0
        largest.append(np.ptp(difference[plausible]))
    return np.array(largest)


def test_noisy_threshold_is_close_over_the_whole_posterior():
    # Half of 0.05 nats either way weighs a draw by 2.5 % too much or too little.
    assert np.all(noisy_differences() < 0.05)


def test_noisy_threshold_on_a_grid_of_128_is_exact():
    # Of the error, which falls with the fourth power of the number of nodes, 1/256 is left.
    assert np.all(noisy_differences(n_depths=128) < 0.002)
    assert np.any(noisy_differences() > 0.002)


def test_noisy_threshold_without_its_survived_voltages_is_not_close():
    assert np.all(noisy_differences(survived=np.zeros(32)) > 0.5)


def test_padding_has_no_influence():
    _, recordings = simulated(simulator(), 40)
    assert (recordings.n_samples < recordings.V.shape[1]).any()
    clean, same_length, longer = (compress(r) for r in (recordings, spoiled(recordings), spoiled(recordings, extra=77)))
    assert (clean.weight.sum(1) == [recording.spikes.sum() for recording in recordings]).all()
    for name in Sufficient._fields:
        np.testing.assert_array_equal(getattr(clean, name), getattr(same_length, name), err_msg=name)
        # Sums over another length are added up in another order.
        np.testing.assert_allclose(getattr(longer, name), getattr(clean, name), rtol=1e-9, atol=1e-9, err_msg=name)


def test_each_recording_is_compressed_by_itself():
    _, recordings = simulated(simulator(), 300)
    together = compress(recordings)
    for i in (0, 7, 255, 256, 299):
        alone = compress(recordings[i : i + 1])
        for name, value in rows(together, slice(i, i + 1))._asdict().items():
            # One row is added up in another order than many.
            np.testing.assert_allclose(getattr(alone, name), value, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("n", "columns"), [(0, 8), (8, 8), (9, 32), (32, 32), (33, 128), (129, 512)])
def test_columns_for_spikes_are_of_few_numbers(n, columns):
    assert spike_columns(n) == columns


def test_columns_that_no_recording_needs_can_be_left_out():
    recordings = Batch.from_list([stimulated(amplitude, t_max=400.0) for amplitude in (0.0, 200.0, 900.0)])
    assert [spike_columns(int(n)) for n in recordings.n_spikes] == [8, 32, 128]
    wide = compress(recordings, n_spikes=128)
    assert wide.narrow().weight.shape == (3, 128)
    for i, columns in enumerate((8, 32, 128)):
        narrow = wide.at(i).narrow()
        assert narrow.weight.shape == (columns,)
        np.testing.assert_array_equal(narrow.V_released, wide.V_released[i, :columns])
        theta = jax.tree.map(np.atleast_1d, NOISY)
        np.testing.assert_allclose(batched(theta, narrow), batched(theta, wide.at(i)), rtol=1e-12)


def test_more_spikes_than_columns_keep_their_number_and_spread():
    spikes = tuple(range(10, 1000, 10))
    V = -60.0 + np.random.default_rng(1).normal(size=1010)
    recording = recorded(V, 300.0, spikes=spikes, n_ref=2)
    sufficient = compress(Batch.from_list([recording]), n_spikes=8)
    assert sufficient.weight.sum() == pytest.approx(99)
    kept = [spikes[i * 99 // 8] for i in range(8)]
    np.testing.assert_array_equal(sufficient.V_before[0], recording.V[np.array(kept) - 1])


def test_held_samples_are_no_evidence():
    V = -60.0 + np.random.default_rng(1).normal(size=1010)
    sufficient = compress(Batch.from_list([recorded(V, spikes=(10, 30), n_ref=4)]))
    assert sufficient.n_steps[0] == 1009 - 2 * 5
    assert sufficient.survived.sum() == pytest.approx(999)
