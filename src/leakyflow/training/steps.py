"""Steps of training and validation, as each backend compiles them; with JAX, many in one call."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
from jaxtyping import Float

from leakyflow.models.backend import DEVICES, bf

__all__ = ["Steps", "TrainingBatch", "compiled_steps", "most_even"]

TrainingBatch = dict[str, Any]  # what BayesFlow's approximator takes


class Steps(ABC):
    """A compiled approximator in training; its variables are up to date after `store`."""

    @abstractmethod
    def train(self, batches: TrainingBatch) -> Any:
        """Take a step for each batch, along a leading axis; the losses, of shape (step,), may be computed later."""

    @abstractmethod
    def validate(self, batch: TrainingBatch) -> float:
        """Loss of a batch."""

    @abstractmethod
    def store(self) -> None:
        """Bring the approximator's and its optimizer's variables up to date."""


def compiled_steps(model: bf.ContinuousApproximator, batch_size: int) -> Steps:
    """Steps of the backend that is used.

    Args:
        model: With its optimizer built.
        batch_size: Of a training step.
    """
    match keras.backend.backend():
        case "jax":
            return _JaxSteps(model, batch_size)
        case "tensorflow":
            import tensorflow as tf

            return _KerasSteps(model, tf.function(model.train_step), tf.function(model.test_step))
        case _:
            import torch

            return _KerasSteps(model, model.train_step, torch.no_grad()(model.test_step))


class _JaxSteps(Steps):
    """A scan over batches: neither Python nor the host between two steps. Each device takes its share of a batch."""

    def __init__(self, model: bf.ContinuousApproximator, batch_size: int) -> None:
        import jax
        from jax.flatten_util import ravel_pytree
        from jax.sharding import PartitionSpec

        self.variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        devices = jax.devices()
        self.mesh = jax.sharding.Mesh(np.array(devices[: most_even(batch_size, len(devices))]), (DEVICES,))
        everywhere = jax.sharding.NamedSharding(self.mesh, PartitionSpec())
        # Copies: the first step takes the memory over.
        self.state = jax.tree.map(
            lambda variable: jax.device_put(np.array(variable), everywhere), self.variables, is_leaf=_is_variable
        )

        def step(state: Any, batch: TrainingBatch) -> tuple[Any, Any]:
            trainable, other, optimizer, metrics = state
            gradient = jax.value_and_grad(model.stateless_compute_metrics, has_aux=True)
            (loss, (_, other, metrics)), slopes = gradient(trainable, other, metrics, batch, stage="training")
            values, unravel = ravel_pytree((loss, slopes))  # one vector: devices wait for each other once
            loss, slopes = unravel(jax.lax.pmean(values, DEVICES))
            trainable, optimizer = model.optimizer.stateless_apply(optimizer, slopes, trainable)
            return (trainable, other, optimizer, metrics), loss

        def loss(state: Any, batch: TrainingBatch) -> Any:
            trainable, other, _, metrics = state
            return model.stateless_compute_metrics(trainable, other, metrics, batch, stage="validation")[0]

        def on_devices(function: Any, batches: PartitionSpec) -> Any:
            # Not checked: all devices hold the same state, which the mean over them sees to.
            return jax.shard_map(
                function,
                mesh=self.mesh,
                in_specs=(PartitionSpec(), batches),
                out_specs=PartitionSpec(),
                check_vma=False,
            )

        scan = on_devices(lambda state, batches: jax.lax.scan(step, state, batches), PartitionSpec(None, DEVICES))
        shared = on_devices(lambda state, batch: jax.lax.pmean(loss(state, batch), DEVICES), PartitionSpec(DEVICES))
        self._train = jax.jit(scan, donate_argnums=0)
        self._loss, self._shared_loss = jax.jit(loss), jax.jit(shared)

    def train(self, batches: TrainingBatch) -> Any:
        self.state, losses = self._train(self.state, batches)
        return losses

    def validate(self, batch: TrainingBatch) -> float:
        even = len(batch["inference_variables"]) % self.mesh.size == 0
        return float((self._shared_loss if even else self._loss)(self.state, batch))

    def store(self) -> None:
        import jax

        jax.tree.map(
            lambda variable, value: variable.assign(np.asarray(value)), self.variables, self.state, is_leaf=_is_variable
        )


def most_even(batch_size: int, n_devices: int) -> int:
    """The largest number of devices that share a batch evenly."""
    return max(n for n in range(1, n_devices + 1) if batch_size % n == 0)


def _is_variable(node: Any) -> bool:
    return isinstance(node, keras.Variable)


class _KerasSteps(Steps):
    """One call a step; the variables are always up to date."""

    def __init__(self, model: bf.ContinuousApproximator, train_step: Any, test_step: Any) -> None:
        self.model = model
        self.train_step = train_step
        self.test_step = test_step

    def train(self, batches: TrainingBatch) -> Float[np.ndarray, " step"]:
        batches = keras.tree.map_structure(keras.ops.convert_to_tensor, batches)
        n_steps = len(batches["inference_variables"])
        steps = (keras.tree.map_structure(lambda values: values[i], batches) for i in range(n_steps))  # noqa: B023
        return np.array([float(self.train_step(batch)["loss"]) for batch in steps])

    def validate(self, batch: TrainingBatch) -> float:
        return float(self.test_step(keras.tree.map_structure(keras.ops.convert_to_tensor, batch))["loss"])

    def store(self) -> None:
        """Nothing is left to do."""
