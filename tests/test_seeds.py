from itertools import combinations

import numpy as np
import pytest

from leakyflow.seeds import evaluation_seed, stream

USES = [
    (0, "draws"),
    (0, "draws", 0),
    (0, "draws", 0, 0),
    (0, "draws", 1),
    (1, "draws", 0),
    (2**32, "draws"),
    (0, "order"),
    (0, "order", 0),
]


def first(sequence: np.random.SeedSequence | int | list[int]) -> int:
    return int(np.random.default_rng(sequence).integers(2**63))


def test_numpy_itself_confuses_lists_of_seeds():
    """What the streams are there for."""
    assert first([1, 0]) == first(1)
    assert first([2**32 * 5 + 3]) == first([3, 5])


@pytest.mark.parametrize(("one", "other"), list(combinations(USES, 2)), ids=str)
def test_no_two_uses_meet(one, other):
    assert first(stream(*one)) != first(stream(*other))


@pytest.mark.parametrize("use", USES, ids=str)
def test_a_use_has_the_same_numbers_each_time_and_none_of_the_plain_seeds(use):
    assert first(stream(*use)) == first(stream(*use))
    assert first(stream(*use)) not in {first(use[0]), first([use[0], 0]), first([use[0], 1])}


def test_evaluation_seeds_are_none_that_anyone_trains_with_and_the_simulator_takes_them():
    seeds = {evaluation_seed(seed, purpose) for seed in (*range(200), 2**63 - 1) for purpose in ("a", "b")}
    assert len(seeds) == 402
    assert min(seeds) > 2**61
    assert max(seeds) < 2**63


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="`seed` must not be negative, got -1"):
        stream(-1, "draws")
