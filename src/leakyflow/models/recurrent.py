"""The recurrent part of the summary network, by what each backend does best."""

import keras

from leakyflow.models.backend import Tensor

__all__ = ["last_state"]


def last_state(layers: list[keras.layers.LSTM], patches: Tensor, valid: Tensor) -> Tensor:
    """State of the second of two stacked LSTM layers at the end of each recording.

    Args:
        layers: The lower and the upper.
        patches: Of shape (dataset, patch, feature).
        valid: Of shape (dataset, patch): True up to the end of each recording.
    """
    match keras.backend.backend():
        case "jax":
            from leakyflow.layout import layout
            from leakyflow.models import lstm

            if (group := layout().lstm_group) is not None:
                lower, upper = (lstm.Layer(*_weights(layer)) for layer in layers)
                return lstm.last_state((lower, upper), patches, valid.sum(1, dtype="int32"), group)
        case "torch":
            return _by_torch(layers, patches, valid.sum(1))
    return layers[1](layers[0](patches, mask=valid), mask=valid)


def _weights(layer: keras.layers.LSTM) -> list[Tensor]:
    """Kernel, recurrent kernel and bias; the order of the gates is that of JAX's and of PyTorch's, too."""
    return [keras.ops.convert_to_tensor(weight) for weight in layer.trainable_weights]


def _by_torch(layers: list[keras.layers.LSTM], patches: Tensor, n_patches: Tensor) -> Tensor:
    """PyTorch's own layers; those of Keras are a loop in Python there. What follows a state has no influence on it."""
    import torch

    weights = []
    for kernel, recurrent, bias in map(_weights, layers):
        weights += [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]  # PyTorch has two biases
    zero = patches.new_zeros(len(layers), len(patches), layers[0].units)
    states, _, _ = torch.lstm(
        patches,
        (zero, zero),
        weights,
        has_biases=True,
        num_layers=len(layers),
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=True,
    )
    return states[torch.arange(len(patches), device=states.device), n_patches - 1]
