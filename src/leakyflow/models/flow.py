"""The coupling flow q(w | summary): BayesFlow's, with batch normalization as a further choice between layers."""

from typing import Any

import keras

from leakyflow.models.backend import InvertibleLayer, Tensor, bf, serializable
from leakyflow.models.config import FlowConfig

__all__ = ["InvertibleBatchNormalization", "build_flow"]

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

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return super().get_config() | {"momentum": self.momentum, "epsilon": self.epsilon}

    def build(self, xz_shape: tuple[int, ...], **kwargs: Any) -> None:
        """Create scale and shift, log-scale 0 and shift 0, and the moving statistics."""
        shape = (xz_shape[-1],)
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.moving_mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape=shape, initializer="ones", trainable=False, name="moving_variance"
        )

    def call(
        self, xz: Tensor, inverse: bool = False, training: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Map xz of shape (..., param) forward or back; the log-determinant has shape (...)."""
        if inverse:
            return self._inverse(xz)
        return self._forward(xz, training=training)

    def _forward(self, x: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            axes = tuple(range(len(x.shape) - 1))
            mean, variance = keras.ops.moments(x, axes=axes)
            self.moving_mean.assign(self._moved(self.moving_mean, mean))
            self.moving_variance.assign(self._moved(self.moving_variance, variance))
        log_slope = self._log_slope(variance)
        y = (x - mean) * keras.ops.exp(log_slope) + self.shift
        return y, self._log_det(log_slope, x)

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_slope = self._log_slope(self.moving_variance)
        x = (y - self.shift) * keras.ops.exp(-log_slope) + self.moving_mean
        return x, self._log_det(-log_slope, y)

    def _moved(self, old: Tensor, new: Tensor) -> Tensor:
        return self.momentum * old + (1.0 - self.momentum) * keras.ops.stop_gradient(new)

    def _log_slope(self, variance: Tensor) -> Tensor:
        return self.log_scale - 0.5 * keras.ops.log(variance + self.epsilon)

    @staticmethod
    def _log_det(log_slope: Tensor, x: Tensor) -> Tensor:
        return keras.ops.broadcast_to(keras.ops.sum(log_slope), keras.ops.shape(x)[:-1])


def build_flow(config: FlowConfig) -> bf.networks.CouplingFlow:
    """Build the flow, and refuse to go on where BayesFlow did not take a setting as given."""
    settings = {
        "depth": config.depth,
        "transform": config.transform,
        "permutation": "random",
        "use_actnorm": config.normalization == "activation",
        "subnet_kwargs": {"widths": config.widths, "activation": "silu", "dropout": 0.0, "residual": False},
        "transform_kwargs": SPLINE if config.transform == "spline" else None,
    }
    flow = bf.networks.CouplingFlow(**settings)
    for name, value in settings.items():
        if getattr(flow, name) != value:
            raise RuntimeError(f"BayesFlow built a CouplingFlow with {name}={getattr(flow, name)!r}, not {value!r}.")
    if config.normalization == "batch":
        # After each coupling but the last, as in Real NVP.
        layers = []
        for layer in flow.invertible_layers:
            is_coupling = isinstance(layer, bf.networks.inference.coupling.layers.DualCoupling)
            layers += [layer, InvertibleBatchNormalization()] if is_coupling else [layer]
        flow.invertible_layers = layers[:-1]
    return flow
