"""Learning rates over training."""

import math
from typing import Any

import keras

from leakyflow.training.config import TrainingConfig

__all__ = ["Schedule"]


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    r"""Linear warm-up, then constant, cosine (Loshchilov & Hutter 2017) or exponential decay.

    With f the final rate and p the share of the steps after the warm-up that are done, the factor is 1,
    :math:`f + (1 - f)(1 + \cos \pi p) / 2` or :math:`f^p`.

    Args:
        training: Settings.
        steps_per_epoch: Steps in each epoch.
    """

    def __init__(self, training: TrainingConfig, steps_per_epoch: int) -> None:
        self.training = training
        self.n_warmup = training.warmup_epochs * steps_per_epoch
        self.n_steps = training.epochs * steps_per_epoch

    def __call__(self, step: Any) -> Any:
        """Learning rate at a step, counted from 0."""
        step, final = keras.ops.cast(step, "float32"), self.training.final_rate
        done = keras.ops.clip((step - self.n_warmup) / max(self.n_steps - self.n_warmup, 1.0), 0.0, 1.0)
        match self.training.schedule:
            case "constant":
                factor = keras.ops.ones_like(done)
            case "cosine":
                factor = final + (1.0 - final) * 0.5 * (1.0 + keras.ops.cos(math.pi * done))
            case _:
                factor = final**done
        warmup = keras.ops.minimum((step + 1.0) / max(self.n_warmup, 1.0), 1.0)
        return self.training.learning_rate * factor * warmup

    def get_config(self) -> dict:  # noqa: D102
        raise NotImplementedError("A schedule is rebuilt from the run's configuration.")
