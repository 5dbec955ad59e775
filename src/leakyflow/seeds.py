"""Random numbers for a purpose: one seed from the user, and a stream for each use of it that meets no other's."""

from hashlib import sha256

import numpy as np

from leakyflow.errors import LeakyflowError

__all__ = ["evaluation_seed", "stream"]


def stream(seed: int, purpose: str, *numbers: int) -> np.random.SeedSequence:
    """Where the random numbers of one purpose come from.

    Args:
        seed: Of the whole, not negative.
        purpose: In a word. Hashed, for NumPy takes [seed, 0] for seed, and [1, 2 * 2**32] for [1, 0, 2].
        numbers: Which of many streams of this purpose, such as the place of a recording.

    Raises:
        ValueError: If the seed is negative.

    Example:
        >>> rng = np.random.default_rng(stream(1, "draws", 0))
        >>> rng.standard_normal() == np.random.default_rng(1).standard_normal()
        False
    """
    if seed < 0:
        raise LeakyflowError(f"`seed` must not be negative, got {seed}. Pass a number from 0 on.", argument="seed")
    return np.random.SeedSequence(seed, spawn_key=(_hashed(purpose), *numbers))


def evaluation_seed(seed: int, purpose: str) -> int:
    """A seed of simulations that test a network, whatever the user's: none that anyone trains with.

    Of the 2^62 seeds of the upper half of those that the simulator takes, where nobody comes by counting.

    Args:
        seed: Of the test, not negative.
        purpose: In a word; each has neurons of its own.

    Example:
        >>> evaluation_seed(1, "held out") > 2**62
        True
    """
    return 2**62 + int(stream(seed, purpose).generate_state(1, np.uint64)[0]) // 4


def _hashed(purpose: str) -> int:
    return int.from_bytes(sha256(purpose.encode()).digest()[:4])
