"""Summary networks: from a recording to a vector, through named statistics, the raw trace, or both."""

from typing import Any, no_type_check

import keras
import numpy as np
from jaxtyping import Float, Float32, Int

from leakyflow.models.backend import Tensor, bf, serializable
from leakyflow.models.config import SummaryConfig
from leakyflow.models.recurrent import last_state
from leakyflow.recordings.batch import Batch

__all__ = ["CHANNELS", "RecordingSummary", "Standardize", "trace_channels"]


CHANNELS = ("V", "I", "spikes")


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

    def one(self, x: Tensor, feature: int) -> Tensor:
        """Standardize one of the features, x of any shape."""
        return keras.ops.arcsinh((x - self.mean[feature]) / self.sd[feature])


@serializable("leakyflow.models")
class RecordingSummary(bf.networks.SummaryNetwork):
    """The summary network of all three kinds.

    Its input is a dictionary: "local" (features of the local coordinates), and, as the configuration asks,
    "statistics", or "trace" of shape (dataset, channel, time), with the `CHANNELS`, and its "n_samples" of shape
    (dataset, 1). The summary is the last dense layer of each branch, followed by those features.

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
        self.standardize = {"local": Standardize(name="standardize_local")}
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
        """Build every branch; shapes are those of the inputs."""
        for name, layer in self.standardize.items():
            layer.build((1, 2) if name == "trace" else input_shape[name])
        n_local = input_shape["local"][-1]
        if self.settings.statistics:
            self.branches["statistics"].build((None, input_shape["statistics"][-1] + n_local))
        if self.settings.trace:
            units = self.settings.lstm_units
            self.recurrent[0].build((None, None, len(CHANNELS) * self.settings.patch + 1))
            self.recurrent[1].build((None, None, units))
            self.branches["trace"].build((None, units + n_local))
        self.built = True

    def compute_output_shape(self, input_shape: dict[str, tuple[int, ...]]) -> tuple[int, int]:  # noqa: D102
        batch, n_local = input_shape["local"]
        return batch, n_local + len(self.branches) * self.settings.widths[-1]

    def call(self, x: dict[str, Tensor], **kwargs: Any) -> Tensor:
        """Summarize; the output has shape (dataset, summary)."""
        local = self.standardize["local"](x["local"])
        parts = []
        if self.settings.statistics:
            statistics = self.standardize["statistics"](x["statistics"])
            parts.append(self.branches["statistics"](keras.ops.concatenate([statistics, local], axis=-1)))
        if self.settings.trace:
            state = self._read(x["trace"], x["n_samples"])
            parts.append(self.branches["trace"](keras.ops.concatenate([state, local], axis=-1)))
        return keras.ops.concatenate([*parts, local], axis=-1)

    def _read(self, trace: Tensor, n_samples: Tensor) -> Tensor:
        """Last state of the LSTM at the end of each recording."""
        patch, ops = self.settings.patch, keras.ops
        n_patches = trace.shape[2] // patch
        scale = self.standardize["trace"]
        channels = [scale.one(trace[:, 0], 0), scale.one(trace[:, 1], 1), trace[:, 2]]
        valid = ops.arange(trace.shape[2], dtype="float32") < n_samples
        channels = [ops.reshape(ops.where(valid, x, 0.0), (-1, n_patches, patch)) for x in channels]
        begun = n_samples - patch * ops.arange(n_patches, dtype="float32")
        share = ops.clip(begun / patch, 0.0, 1.0)[..., None]
        return last_state(self.recurrent, ops.concatenate([*channels, share], axis=-1), share[..., 0] > 0)


def trace_channels(
    recordings: Batch, n_time: int, patch: int, rows: Int[np.ndarray, "*dataset"] | None = None
) -> dict[str, Float32[np.ndarray, "*dataset channel time"] | Float32[np.ndarray, "*dataset 1"]]:
    """Inputs that hold the raw trace: its channels, padded to whole patches of at least n_time samples, and its length.

    Args:
        recordings: All of them.
        n_time: Samples of the longest that the network takes.
        patch: Samples of a patch.
        rows: Those wanted, in any shape; all by default.
    """
    rows = np.arange(len(recordings)) if rows is None else rows
    width = recordings.V.shape[1]
    trace = np.zeros((*rows.shape, len(CHANNELS), -(-max(n_time, width) // patch) * patch), np.float32)
    for channel, name in enumerate(CHANNELS):
        trace[..., channel, :width] = getattr(recordings, name)[rows]
    return {"trace": trace, "n_samples": recordings.n_samples[rows][..., None].astype(np.float32)}
