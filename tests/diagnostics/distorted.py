"""A network's posterior made wrong on purpose: each check must see it."""

from dataclasses import replace
from typing import Any

from leakyflow.likelihood.draws import Draws
from leakyflow.models.posterior import Posterior


class Distorted(Posterior):
    """Its own draws are stretched around their mean by `width`; corrected ones are left as they are."""

    def __init__(self, posterior: Posterior, *, width: float) -> None:
        super().__init__(posterior.network, name="distorted")
        self.width = width

    def sample(self, recording: Any, **settings: Any) -> Draws:
        draws = super().sample(recording, **settings)
        if settings.get("correct") is not False:
            return draws
        mean = draws.array.mean(axis=-2, keepdims=True)
        return replace(draws, array=mean + self.width * (draws.array - mean))
