"""The coupling flow q(w | summary): BayesFlow's, with batch normalization as a further choice between layers."""

from collections.abc import Sequence
from typing import Any, no_type_check

import keras

from leakyflow.models.backend import InvertibleLayer, Tensor, bf, find_permutation, mean_over_devices, serializable
from leakyflow.models.config import FlowConfig

__all__ = ["InvertibleBatchNormalization", "build_flow"]

Shape = Sequence[int | None]

# BayesFlow's splines reach from -3 to 3 by default and continue as a line; local coordinates are standard normal,
# and one in 370 of those lies beyond.
SPLINE = {"bins": 12, "default_domain": (-6.0, 6.0, -6.0, 6.0)}


@serializable("leakyflow.models")
class InvertibleBatchNormalization(InvertibleLayer):
    r"""Batch normalization as a layer of a flow.

    .. math:: y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta, \quad
              \log |dy / dx| = \sum \log |\gamma| - \tfrac12 \log(\sigma^2 + \epsilon)

    In training, mean and variance are the batch's and the moving statistics follow them; in inference and in the
    inverse, the moving statistics are used (Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real
    NVP, section 3.7). The log-determinant is that of the map at fixed statistics.

    Args:
        momentum: Share of the old moving statistics that each batch keeps.
        epsilon: Added to the variance.
    """

    momentum: float
    epsilon: float

    @no_type_check  # Keras reads this signature, which a run-time type checker would hide
    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return super().get_config() | {"momentum": self.momentum, "epsilon": self.epsilon}

    def build(self, xz_shape: Shape, **kwargs: Any) -> None:
        """Create scale and shift, log-scale 0 and shift 0, and the moving statistics."""
        shape = (xz_shape[-1],)
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.moving_mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(shape=shape, initializer="ones", trainable=False, name="moving_variance")

    def call(self, xz: Tensor, inverse: bool = False, training: bool = False, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Map xz of shape (..., param) forward or back; the log-determinant has shape (...)."""
        if inverse:
            return self._inverse(xz)
        return self._forward(xz, training=training)

    def _forward(self, x: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            axes = tuple(range(len(x.shape) - 1))
            mean = mean_over_devices(keras.ops.mean(x, axis=axes))
            variance = mean_over_devices(keras.ops.mean(keras.ops.square(x - mean), axis=axes))
            self.moving_mean.assign(self._moved(self.moving_mean, mean))
            self.moving_variance.assign(self._moved(self.moving_variance, variance))
        log_slope = self._log_slope(variance)
        y = (x - mean) * keras.ops.exp(log_slope) + self.shift
        return y, self._log_det(log_slope, x)

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_slope = self._log_slope(self.moving_variance)
        x = (y - self.shift) * keras.ops.exp(-log_slope) + self.moving_mean
        return x, self._log_det(-log_slope, y)

    def _moved(self, old: keras.Variable, new: Tensor) -> Tensor:
        return self.momentum * old + (1.0 - self.momentum) * keras.ops.stop_gradient(new)

    def _log_slope(self, variance: Tensor | keras.Variable) -> Tensor:
        return self.log_scale - 0.5 * keras.ops.log(variance + self.epsilon)

    @staticmethod
    def _log_det(log_slope: Tensor, x: Tensor) -> Tensor:
        return keras.ops.broadcast_to(keras.ops.sum(log_slope), keras.ops.shape(x)[:-1])


@serializable("leakyflow.models")
class Coupling(bf.networks.inference.coupling.layers.DualCoupling):
    """A coupling that also takes a single parameter, which it transforms as a whole, by the conditions alone."""

    def build(self, xz_shape: Shape, conditions_shape: Shape | None = None) -> None:
        if xz_shape[-1] != 1:
            super().build(xz_shape, conditions_shape)
            return
        self.pivot = 0
        for half in (self.coupling1, self.coupling2):
            half.build((*xz_shape[:-1], 0), tuple(xz_shape), conditions_shape)

    def call(
        self, xz: Tensor, conditions: Tensor = None, inverse: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Map xz of shape (..., param) forward or back; the log-determinant has shape (...)."""
        if xz.shape[-1] > 1:
            return super().call(xz, conditions=conditions, inverse=inverse, **kwargs)
        total = 0.0
        for half in (self.coupling2, self.coupling1) if inverse else (self.coupling1, self.coupling2):
            (_, xz), log_det = half(xz[..., :0], xz, conditions=conditions, inverse=inverse, **kwargs)
            total = total + log_det
        return xz, total


def build_flow(config: FlowConfig) -> bf.networks.CouplingFlow:
    """Build the flow, and refuse to go on where BayesFlow did not take a setting as given."""
    subnet = {"widths": config.widths, "activation": "silu", "dropout": 0.0, "residual": False}
    transform = SPLINE if config.transform == "spline" else {}
    layers: list[InvertibleLayer] = []
    for i in range(config.depth):
        if config.normalization == "activation":
            layers.append(bf.networks.inference.coupling.actnorm.ActNorm())
        layers.append(find_permutation("random"))
        layers.append(Coupling("mlp", config.transform, subnet_kwargs=subnet, transform_kwargs=transform))
        # After each coupling but the last, as in Real NVP.
        if config.normalization == "batch" and i < config.depth - 1:
            layers.append(InvertibleBatchNormalization())
    # Empty at first: Keras would keep track of layers that are replaced.
    flow = bf.networks.CouplingFlow(depth=0)
    flow.invertible_layers = layers
    _check_taken(layers, config, subnet | transform)
    return flow


def _check_taken(layers: list[InvertibleLayer], config: FlowConfig, settings: dict[str, Any]) -> None:
    """Look into the couplings: a setting that BayesFlow does not know, it stores and ignores."""
    couplings = [layer for layer in layers if isinstance(layer, Coupling)]
    pairs: list[tuple[str, Any, Any]] = []
    for half in (half for layer in couplings for half in (layer.coupling1, layer.coupling2)):
        pairs.append(("transform", f"{config.transform.title()}Transform", type(half.transform).__name__))
        # Not the configuration of the subnet: to make it, Keras imports TensorFlow where there is one, for 2 s.
        taken = vars(half.subnet) | half.transform.get_config()
        pairs += [(name, value, taken.get(name)) for name, value in settings.items()]
    for name, value, got in pairs:
        same = tuple(got) == value if isinstance(value, tuple) else got == value
        if not same:
            raise RuntimeError(
                f"BayesFlow built a coupling with {name}={got!r}, not {value!r}. Install the version that "
                "leakyflow requires."
            )
