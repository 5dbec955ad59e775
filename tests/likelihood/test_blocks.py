import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakyflow.likelihood.blocks import SIZES, in_blocks


@pytest.mark.parametrize("n", [1, 2, 16, 17, 256, 257, 600])
def test_rows_come_back_once_and_in_order(n):
    x, sizes = np.random.default_rng(1).normal(size=(n, 3)), []

    def function(rows):
        sizes.append(len(rows))
        return {"double": 2.0 * x[rows], "row": (rows,)}

    found = in_blocks(function, n)
    np.testing.assert_array_equal(found["double"], 2.0 * x)
    np.testing.assert_array_equal(found["row"][0], np.arange(n))
    assert set(sizes) <= set(SIZES)
    assert len(set(sizes)) == 1
    assert len(sizes) == -(-n // sizes[0])


def test_functions_work_in_double_precision():
    third = jax.jit(lambda rows: jnp.asarray(rows) / 3.0)
    with jax.enable_x64(False):
        assert in_blocks(third, 5).dtype == np.float64
        assert third(np.arange(5)).dtype == np.float32
