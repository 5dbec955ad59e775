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
    if keras.backend.backend() == "jax":
        from leakyflow.models import lstm

        lower, upper = (
            lstm.Layer(*(keras.ops.convert_to_tensor(weight) for weight in layer.trainable_weights)) for layer in layers
        )
        return lstm.last_state((lower, upper), patches, valid.sum(1, dtype="int32"))
    return layers[1](layers[0](patches, mask=valid), mask=valid)
