import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from leakyflow.models import flow as flow_module
from leakyflow.models.backend import bf
from leakyflow.models.config import FlowConfig
from leakyflow.models.flow import Coupling, InvertibleBatchNormalization, build_flow

FLOWS = {
    f"{transform}, {normalization}": FlowConfig(
        depth=2, transform=transform, widths=(8, 8), normalization=normalization
    )
    for transform, normalization in itertools.product(("affine", "spline"), ("batch", "activation", "none"))
}
N_CONDITIONS = 5


def randomize(layer: keras.Layer, seed: int = 1) -> None:
    """Weights as after some training; a new flow is the identity but for its permutations."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        if "int" in weight.dtype:
            continue
        noise = 0.1 * rng.normal(size=weight.shape)
        is_scale = weight.name in ("scale", "moving_variance")
        weight.assign(np.exp(noise) if is_scale else noise)


def built(config: FlowConfig, n_params: int) -> bf.networks.CouplingFlow:
    keras.utils.set_random_seed(1)
    flow = build_flow(config)
    flow.build((None, n_params), (None, N_CONDITIONS))
    randomize(flow)
    return flow


@pytest.fixture(scope="module", params=FLOWS.values(), ids=FLOWS.keys())
def config(request: pytest.FixtureRequest) -> FlowConfig:
    return request.param


@pytest.fixture(scope="module")
def flow(config: FlowConfig) -> bf.networks.CouplingFlow:
    return built(config, 4)


def inputs(n: int, n_params: int) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(2)
    # Some beyond the splines' domain.
    x = 2.5 * rng.normal(size=(n, n_params))
    return jnp.asarray(x, jnp.float32), jnp.asarray(rng.normal(size=(n, N_CONDITIONS)), jnp.float32)


def test_inverse_after_forward_is_the_identity(flow):
    x, conditions = inputs(200, 4)
    z = flow(x, conditions=conditions)
    assert float(jnp.abs(z - x).max()) > 0.1
    # Single precision, through two couplings whose slopes are moderate.
    np.testing.assert_allclose(flow(z, conditions=conditions, inverse=True), x, atol=1e-4)


def test_log_det_is_that_of_the_jacobian(flow):
    x, conditions = inputs(200, 4)

    def column(axis: int) -> jax.Array:
        """Of the Jacobian of every row: rows do not mix in inference."""
        direction = jnp.zeros_like(x).at[:, axis].set(1.0)
        return jax.jvp(lambda x: flow(x, conditions=conditions), (x,), (direction,))[1]

    jacobian = jnp.stack([column(axis) for axis in range(4)], axis=-1)
    z, log_density = flow(x, conditions=conditions, density=True)
    base = -0.5 * (z**2).sum(-1) - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_density - base, np.linalg.slogdet(jacobian)[1], atol=1e-3)


@pytest.mark.parametrize("n_params", [1, 2])
@pytest.mark.parametrize("name", ["affine, batch", "spline, activation"])
def test_density_integrates_to_one(name, n_params):
    flow = built(FLOWS[name], n_params)
    grid = np.linspace(-15.0, 15.0, {1: 3001, 2: 401}[n_params])
    x = np.stack(np.meshgrid(*[grid] * n_params), axis=-1).reshape(-1, n_params).astype(np.float32)
    conditions = np.broadcast_to(np.asarray(inputs(1, 1)[1]), (len(x), N_CONDITIONS))
    log_density = jax.jit(lambda x, c: flow(x, conditions=c, density=True)[1])(x, conditions)
    density = np.exp(np.asarray(log_density, float))
    # Kinks of the splines and the spacing of 0.075 in two dimensions.
    assert density.sum() * (grid[1] - grid[0]) ** n_params == pytest.approx(1.0, abs=5e-3)


def test_each_setting_is_taken(config):
    flow = build_flow(config)
    couplings = [layer for layer in flow.invertible_layers if isinstance(layer, Coupling)]
    names = [type(layer).__name__ for layer in flow.invertible_layers]
    assert len(couplings) == names.count("RandomPermutation") == 2
    assert names.count("ActNorm") == 2 * (config.normalization == "activation")
    # None after the last coupling.
    assert names.count("InvertibleBatchNormalization") == 1 * (config.normalization == "batch")
    assert names[-1] == "Coupling"
    for half in (half for coupling in couplings for half in (coupling.coupling1, coupling.coupling2)):
        assert [block.width for block in half.subnet.blocks] == [8, 8]
        assert half.subnet.residual is False
        if config.transform == "spline":
            assert half.transform.get_config()["default_domain"] == (-6.0, 6.0, -6.0, 6.0)
            assert half.transform.bins == 12
        else:
            assert type(half.transform).__name__ == "AffineTransform"


def test_a_setting_that_bayesflow_ignores_is_an_error(monkeypatch):
    """As its networks do with a misspelt `widhts`."""

    class Forgetful(Coupling):
        def __init__(self, *args: object, subnet_kwargs: dict, **kwargs: object) -> None:
            misspelt = {"widhts" if name == "widths" else name: value for name, value in subnet_kwargs.items()}
            super().__init__(*args, subnet_kwargs=misspelt, **kwargs)

    monkeypatch.setattr(flow_module, "Coupling", Forgetful)
    with pytest.raises(RuntimeError, match=r"with widths=.*, not \(64,\)"):
        build_flow(FlowConfig(widths=(64,)))


@pytest.fixture
def layer() -> InvertibleBatchNormalization:
    layer = InvertibleBatchNormalization(momentum=0.9)
    layer.build((None, 3))
    layer.built = True
    randomize(layer)
    return layer


def test_batch_normalization_inverts_itself(layer):
    x = np.random.default_rng(3).normal(size=(7, 3)).astype(np.float32)
    y, log_det = layer(x)
    again, log_det_inverse = layer(y, inverse=True)
    np.testing.assert_allclose(again, x, atol=1e-6)
    np.testing.assert_allclose(log_det_inverse, -np.asarray(log_det), rtol=1e-6)


@pytest.mark.parametrize("inverse", [False, True])
def test_log_det_of_batch_normalization_is_that_of_the_jacobian(layer, inverse):
    x = jnp.asarray(np.random.default_rng(3).normal(size=(7, 3)), jnp.float32)
    jacobian = jax.vmap(jax.jacobian(lambda x: layer(x[None], inverse=inverse)[0][0]))(x)
    np.testing.assert_allclose(layer(x, inverse=inverse)[1], np.linalg.slogdet(jacobian)[1], rtol=1e-5)


def test_training_normalizes_the_batch_and_moves_the_statistics(layer):
    x = (5.0 + 3.0 * np.random.default_rng(3).normal(size=(500, 3))).astype(np.float32)
    old_mean, old_variance = np.array(layer.moving_mean), np.array(layer.moving_variance)
    y, log_det = layer(x, training=True)
    scale, shift = np.exp(np.array(layer.log_scale)), np.array(layer.shift)
    np.testing.assert_allclose(np.mean(y, axis=0), shift, atol=1e-4)
    np.testing.assert_allclose(np.std(y, axis=0), scale, rtol=1e-4)
    # The map at the batch's own statistics, held fixed.
    np.testing.assert_allclose(log_det, np.log(scale / np.sqrt(x.var(0) + layer.epsilon)).sum(), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * old_mean + 0.1 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 * old_variance + 0.1 * x.var(0), rtol=1e-4)


def test_inference_leaves_the_statistics_alone_and_each_row_to_itself(layer):
    x = (5.0 + 3.0 * np.random.default_rng(3).normal(size=(500, 3))).astype(np.float32)
    before = np.array(layer.moving_mean)
    together = np.asarray(layer(x)[0])
    np.testing.assert_array_equal(layer.moving_mean, before)
    np.testing.assert_allclose(layer(x[:1])[0], together[:1], rtol=1e-6)


def test_statistics_move_to_those_of_the_data(layer):
    rng = np.random.default_rng(3)
    for _ in range(100):
        layer((5.0 + 3.0 * rng.normal(size=(200, 3))).astype(np.float32), training=True)
    y, _ = layer((5.0 + 3.0 * rng.normal(size=(10_000, 3))).astype(np.float32))
    scale, shift = np.exp(np.array(layer.log_scale)), np.array(layer.shift)
    # 10 batches of 200 count at a momentum of 0.9: 4 standard errors from 2000 draws.
    np.testing.assert_allclose((np.mean(y, axis=0) - shift) / scale, 0.0, atol=4 / np.sqrt(2000))
    np.testing.assert_allclose(np.std(y, axis=0) / scale, 1.0, atol=4 / np.sqrt(2 * 2000))


def test_gradients_pass_through_the_statistics_of_the_batch(layer):
    """A shift of the whole batch changes nothing in training, so the gradient of a sum of outputs is zero."""
    x = jnp.asarray(np.random.default_rng(3).normal(size=(50, 3)), jnp.float32)
    state = [variable.value for variable in layer.non_trainable_variables]
    weights = [variable.value for variable in layer.trainable_variables]

    def total(x: jax.Array) -> jax.Array:
        (y, _), _ = layer.stateless_call(weights, state, x, training=True)
        return (y * jnp.arange(3.0)).sum()

    np.testing.assert_allclose(jax.grad(total)(x), 0.0, atol=1e-5)
