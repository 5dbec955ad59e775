import math
from collections.abc import Iterator

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from leakyflow.simulator.noise import SPARED, Noise, _normal, _threefry, draw_noise

ALL = (True,) * len(SPARED)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def draw(index: np.ndarray, n_time: int = 500, seed: int = 3, noisy: tuple[bool, ...] = ALL) -> Noise:
    return draw_noise(jnp.asarray(seed), jnp.asarray(index), 0, n_time, noisy)


def test_words_are_those_of_jax():
    count = np.arange(1000, dtype=np.uint32)
    for key in ((0, 0), (1, 2), (0xDEADBEEF, 0x12345678)):
        key = np.array(key, np.uint32)
        # JAX takes the counts in two halves: one word of the block, then the other.
        truth = jax.extend.random.threefry_2x32(jnp.asarray(key), jnp.concatenate([jnp.zeros_like(count), count]))
        columns = [jnp.full(len(count), part)[:, None] for part in key]
        words = jnp.concatenate(_threefry(*columns, jnp.asarray(count)[:, None]))[:, 0]
        np.testing.assert_array_equal(words, truth)


def test_words_are_the_published_ones():
    # Random123, kat_vectors: threefry2x32 with 20 rounds.
    def threefry(key: tuple[int, int], count: int) -> list[int]:
        return [int(word[0, 0]) for word in _threefry(*(jnp.full((1, 1), x, jnp.uint32) for x in (*key, count)))]

    assert threefry((0, 0), 0) == [0x6B200159, 0x99BA4EFE]


def test_scores_are_the_inverse_of_the_distribution_function():
    # Every 4096th of the 2^32 words, and the last.
    words = np.append(np.arange(0, 2**32, 2**12, dtype=np.uint64), 2**32 - 1).astype(np.uint32)
    x = ((words.view(np.int32) >> 8) + 0.5) / 2**23
    z = np.asarray(_normal(jnp.asarray(words)), float)
    # A few units of single precision, 6e-8, from the table and its evaluation.
    np.testing.assert_allclose(z, math.sqrt(2) * scipy.special.erfinv(x), rtol=2e-6)
    assert np.abs(z).max() < 5.5


def test_noises_are_normal_and_independent_of_each_other():
    z = np.array([np.asarray(noise, float).ravel() for noise in draw(np.arange(64), n_time=2000)])
    for noise in z:
        assert scipy.stats.kstest(noise, "norm").pvalue > 1e-3
    np.testing.assert_allclose(z @ z.T / z.shape[1], np.eye(5), atol=5 * math.sqrt(2 / z.shape[1]))


def test_a_stream_is_the_same_at_any_length_and_beside_any_other():
    whole = draw(np.arange(20))
    for index, n_time in ((np.array([7]), 500), (np.array([19, 0, 7]), 123), (np.array([7, 7]), 2)):
        for part, all_of_it in zip(draw(index, n_time), whole, strict=True):
            np.testing.assert_array_equal(part, all_of_it[:n_time, index])


def test_a_stream_can_be_read_from_anywhere():
    later = draw_noise(jnp.asarray(3), jnp.arange(20), 7, 100, ALL)
    for part, whole in zip(later, draw(np.arange(20)), strict=True):
        np.testing.assert_array_equal(part, whole[7:107])


@pytest.mark.parametrize(
    "noisy", [(False,) * 4, (True, False, False, False), (False, True, True, False), (False, False, False, True)]
)
def test_what_is_not_drawn_changes_no_other(noisy):
    some, whole = draw(np.arange(3), noisy=noisy), draw(np.arange(3))
    assert [noise is not None for noise in some[1:]] == list(noisy)
    for one, other in zip(some, whole, strict=True):
        if one is not None:
            np.testing.assert_array_equal(one, other)


def test_no_two_streams_are_alike():
    streams = [np.asarray(noise).T for seed in (0, 1, 2**32, 2**62) for noise in draw(np.arange(50), 20, seed)]
    assert len(np.unique(np.concatenate(streams), axis=0)) == 4 * 5 * 50
