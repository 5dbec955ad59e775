"""The neurons that are exported, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import Parameters
from leakyflow.seeds import stream
from leakyflow.simulator.simulate import check_parameters

__all__ = ["Population"]


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons to export; make it with `of`.

    Attributes:
        parameters: Of every neuron, arrays of shape (neuron,); what is off in all of them is left out.
        dt: Step for which they are meant, in ms.
        provenance: Where they come from, for the file.
    """

    parameters: Parameters
    dt: float
    provenance: Mapping[str, Any]

    @classmethod
    def of(cls, source: Draws | Parameters, *, n: int | None, seed: int, dt: float | None) -> "Population":
        """The posterior mean, some draws, or neurons that are known."""
        known = isinstance(source, Parameters)
        dt = _step(dt, None if known else source.dt)
        parameters, provenance = _given(source, n) if known else _drawn(source, n, seed)  # type: ignore[arg-type]
        shape = check_parameters(parameters, dt)
        arrays = parameters.map(lambda value: np.broadcast_to(np.asarray(value, np.float64), shape or (1,)))
        return cls(arrays.pruned(), dt, provenance)

    def __len__(self) -> int:
        return len(self.parameters.tau)

    @property
    def n_ref(self) -> np.ndarray:
        """Samples for which each neuron stays refractory after that of its spike."""
        return np.rint(self.parameters.t_ref / self.dt).astype(int)

    def without(self, *names: str) -> "Population":
        """The same neurons with some parameters off."""
        return Population(self.parameters.without(*names), self.dt, self.provenance)


def _step(asked: float | None, known: float | None) -> float:
    """The step of the export, in ms."""
    dt = known if asked is None else asked
    if dt is None or not (np.isfinite(dt) and dt > 0):
        raise LeakyflowError(
            f"`dt` must be the sampling interval that the neurons were inferred at, in ms, got {dt}. The networks that "
            "ship take 0.2.",
            argument="dt",
        )
    return float(dt)


def _given(parameters: Parameters, n: int | None) -> tuple[Parameters, dict[str, Any]]:
    if n is not None:
        raise LeakyflowError(
            "`n` chooses among posterior draws: leave it out where parameters are given.", argument="n"
        )
    return parameters, {"neurons": "parameters as given"}


def _drawn(draws: Draws, n: int | None, seed: int) -> tuple[Parameters, dict[str, Any]]:
    if draws.recordings is not None:
        raise LeakyflowError(
            f"The draws must be of one recording, got those of {len(draws.recordings)}. Take one with draws.of(i).",
            argument="draws",
        )
    provenance: dict[str, Any] = {"network": draws.source}
    if draws.diagnostics is not None:
        row = draws.diagnostics.iloc[0]
        provenance |= {
            "recording": str(draws.diagnostics.index[0]),
            "posterior": {str(k): plain(row[k]) for k in row.index},
        }
    parameters = draws.parameters()
    if n is None:
        mean = {name: np.asarray(value).mean() for name, value in parameters.items()}
        return Parameters(**mean), provenance | {"neurons": f"mean of {draws.n_draws} posterior draws"}
    chosen = _chosen(draws.n_draws, n, seed)
    some = parameters.map(lambda value: value[chosen] if np.ndim(value) else value)
    said = {"neurons": f"{n} of {draws.n_draws} posterior draws", "draws": chosen.tolist(), "seed": seed}
    return some, provenance | said


def _chosen(n_draws: int, n: int, seed: int) -> np.ndarray:
    if not 1 <= n <= n_draws:
        raise LeakyflowError(
            f"`n` must lie between 1 and the number of draws, {n_draws}, got {n}. Sample more with n_draws=.",
            argument="n",
        )
    return np.sort(np.random.default_rng(stream(seed, "export")).choice(n_draws, n, replace=False))


def plain(value: Any) -> Any:
    """A number, a word or nothing, as JSON knows them."""
    if isinstance(value, str | bool | type(None)):
        return value
    number = float(value)
    return number if np.isfinite(number) else None
