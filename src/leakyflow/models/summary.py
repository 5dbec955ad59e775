"""Summary networks: from a recording to a vector, through named statistics, the raw trace, or both."""

from typing import Any, no_type_check

import keras
import numpy as np
from jaxtyping import Float, Float32

from leakyflow.models.backend import Tensor, bf, serializable
from leakyflow.models.config import SummaryConfig
from leakyflow.recordings.recording import Recordings

__all__ = ["RecordingSummary", "Standardize", "trace_channels"]


@serializable("leakyflow.models")
class Standardize(keras.layers.Layer):
    """Subtract a mean, divide by an SD and tame the tails by arcsinh; mean and SD are saved with the weights."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Create mean 0 and SD 1, to be replaced by `adapt`."""
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.sd = self.add_weight(shape=shape, initializer="ones", trainable=False, name="sd")
        self.built = True

    def adapt(self, mean: Float[np.ndarray, " feature"], sd: Float[np.ndarray, " feature"]) -> None:
        """Take mean and SD from the training set; a feature that does not vary is only centred."""
        self.mean.assign(mean)
        self.sd.assign(np.where(sd > 1e-6 * (1.0 + np.abs(mean)), sd, 1.0))

    def call(self, x: Tensor) -> Tensor:
        """Standardize x of shape (..., feature)."""
        return keras.ops.arcsinh((x - self.mean) / self.sd)


@serializable("leakyflow.models")
class RecordingSummary(bf.networks.SummaryNetwork):
    """The summary network of all three kinds.

    Its input is a dictionary: "frame" (features of the local coordinates), and, as the configuration asks,
    "statistics" and "trace" of shape (dataset, time, channel) with the channels voltage, current, spike and valid.
    The summary is the last dense layer of each branch, followed by the frame.

    Args:
        summary: Settings, as `SummaryConfig` takes them.
    """

    summary: dict[str, Any]
    settings: SummaryConfig
    standardize: dict[str, Standardize]
    branches: dict[str, keras.Sequential]
    recurrent: list[keras.layers.LSTM]

    @no_type_check  # Keras reads this signature, which a run-time type checker would hide
    def __init__(self, summary: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.summary = summary
        self.settings = SummaryConfig(**summary)
        self.standardize = {"frame": Standardize(name="standardize_frame")}
        self.branches = {}
        if self.settings.statistics:
            self.standardize["statistics"] = Standardize(name="standardize_statistics")
            self.branches["statistics"] = keras.Sequential(self._dense(), name="statistics")
        if self.settings.trace:
            self.standardize["trace"] = Standardize(name="standardize_trace")
            units = self.settings.lstm_units
            self.recurrent = [
                keras.layers.LSTM(units, return_sequences=True, name="lstm_1"),
                keras.layers.LSTM(units, name="lstm_2"),
            ]
            self.branches["trace"] = keras.Sequential(self._dense(), name="trace")

    def _dense(self) -> list[keras.Layer]:
        return [
            keras.layers.Dense(width, activation="relu", kernel_initializer="he_normal")
            for width in self.settings.widths
        ]

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return super().get_config() | {"summary": self.summary}

    def build(self, input_shape: dict[str, tuple[int, ...]]) -> None:
        """Build every branch; shapes are (dataset, feature) and (dataset, time, channel)."""
        for name, shape in input_shape.items():
            self.standardize[name].build((*shape[:-1], 2) if name == "trace" else shape)
        n_frame = input_shape["frame"][-1]
        if self.settings.statistics:
            self.branches["statistics"].build((None, input_shape["statistics"][-1] + n_frame))
        if self.settings.trace:
            units = self.settings.lstm_units
            self.recurrent[0].build((None, None, 4 * self.settings.patch))
            self.recurrent[1].build((None, None, units))
            self.branches["trace"].build((None, units + n_frame))
        self.built = True

    def compute_output_shape(self, input_shape: dict[str, tuple[int, ...]]) -> tuple[int, int]:  # noqa: D102
        batch, n_frame = input_shape["frame"]
        return batch, n_frame + len(self.branches) * self.settings.widths[-1]

    def call(self, x: dict[str, Tensor], **kwargs: Any) -> Tensor:
        """Summarize; the output has shape (dataset, summary)."""
        frame = self.standardize["frame"](x["frame"])
        parts = []
        if self.settings.statistics:
            statistics = self.standardize["statistics"](x["statistics"])
            parts.append(self.branches["statistics"](keras.ops.concatenate([statistics, frame], axis=-1)))
        if self.settings.trace:
            state = self._read(x["trace"])
            parts.append(self.branches["trace"](keras.ops.concatenate([state, frame], axis=-1)))
        return keras.ops.concatenate([*parts, frame], axis=-1)

    def _read(self, trace: Tensor) -> Tensor:
        """Last state of the LSTM at the end of each recording."""
        valid = trace[..., 3:]
        scaled = self.standardize["trace"](trace[..., :2])
        channels = keras.ops.concatenate([scaled, trace[..., 2:]], axis=-1) * valid
        n_patches = trace.shape[1] // self.settings.patch
        patches = keras.ops.reshape(channels, (-1, n_patches, 4 * self.settings.patch))
        valid = keras.ops.reshape(valid, (-1, n_patches, self.settings.patch))
        mask = keras.ops.any(valid > 0, axis=-1)
        return self.recurrent[1](self.recurrent[0](patches, mask=mask), mask=mask)


def trace_channels(recordings: Recordings, n_time: int, patch: int) -> Float32[np.ndarray, "dataset time channel"]:
    """Voltage, current, spike and valid, padded to whole patches of at least n_time samples; 0 wherever padded."""
    n, width = recordings.V.shape
    channels = np.zeros((n, -(-max(n_time, width) // patch) * patch, 4), np.float32)
    valid = np.arange(width) < recordings.n_samples[:, None]
    for channel, values in enumerate((recordings.V, recordings.I, recordings.spikes, valid)):
        channels[:, :width, channel] = np.where(valid, values, 0.0)
    return channels
