from dataclasses import replace

import numpy as np
import pytest

from leakyflow.training.config import load_config
from leakyflow.training.schedule import Schedule

STEPS = 10
TRAINING = replace(load_config("quick").training, epochs=20, learning_rate=1e-3, final_rate=0.1, warmup_epochs=0.0)
N = 20 * STEPS


def rates(**settings):
    schedule = Schedule(replace(TRAINING, **settings), STEPS)
    return np.array([float(schedule(step)) for step in range(N + 1)])


@pytest.mark.parametrize(("kind", "half"), [("constant", 1.0), ("cosine", 0.55), ("exponential", np.sqrt(0.1))])
def test_each_schedule_follows_its_formula(kind, half):
    got = rates(schedule=kind)
    end = 1.0 if kind == "constant" else 0.1
    assert np.allclose(got[[0, N // 2, N]] / 1e-3, [1.0, half, end], rtol=1e-5)
    assert (np.diff(got) <= 1e-12).all()


def test_warm_up_rises_linearly_to_the_full_rate():
    got = rates(schedule="constant", warmup_epochs=2.0)
    assert np.allclose(got[: 2 * STEPS], 1e-3 * np.arange(1, 2 * STEPS + 1) / (2 * STEPS), rtol=1e-5)
    assert np.allclose(got[2 * STEPS :], 1e-3, rtol=1e-6)


def test_cosine_may_end_at_zero():
    assert rates(schedule="cosine", final_rate=0.0)[-1] < 1e-9
