import numpy as np
import pytest

import leakyflow as lf
from leakyflow.recordings.read import read_recording

from .synthetic import sweep, write

V, I = sweep(0.05)


def test_arrays_give_what_their_file_gives(tmp_path):
    found, reference = lf.read_arrays(V, I, dt=0.05, name="cell 3"), read_recording(write("npz", tmp_path, V, I))
    for field in ("V", "I", "spikes", "refractory"):
        np.testing.assert_array_equal(getattr(found, field), getattr(reference, field))
    assert (found.dt, found.name) == (0.2, "cell 3")


def test_a_window_and_another_interval_may_be_asked_for():
    found = lf.read_arrays(V, I, dt=0.05, start=50.0, stop=350.0, recording_dt=0.1)
    assert (found.dt, found.n_samples) == (0.1, 3000)


def test_lists_and_single_precision_are_taken():
    found = lf.read_arrays(V.astype(np.float32).tolist(), I.astype(np.float32), dt=0.05)
    assert found.spikes.sum() == 3


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"V": V[:-1]}, "same length, got 11999 and 12000"),
        ({"V": np.stack([V, V])}, "'V' of arrays must be one-dimensional"),
        ({"V": "a"}, "'V' of arrays must be one-dimensional"),
        ({"V": V / 1e3}, "volts labelled mV"),
        ({"I": I / 1e3}, "nA labelled pA"),
        ({"dt": 5e-5}, "every 0.001 to 10 ms, got 5e-05 ms"),
        ({"dt": 0.0}, "`dt` must be"),
        ({"dt": np.nan}, "`dt` must be"),
        ({"stop": 50.0}, "at least 100 ms"),
    ],
)
def test_what_cannot_be_is_refused(change, match):
    with pytest.raises(ValueError, match=match):
        lf.read_arrays(**({"V": V, "I": I, "dt": 0.05} | change))
