"""Posterior draws, with names and units."""

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.layout import double_precision
from leakyflow.neuron.membrane import Membrane
from leakyflow.neuron.parameters import UNITS, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

if TYPE_CHECKING:
    import arviz as az

__all__ = ["Draws", "import_arviz", "n_decimals"]

STEP = 0.1  # ms, where none is known: what is steady does not depend on it


@cache
def import_arviz() -> Any:
    """ArviZ, which takes seconds to import, without the notice that it prints on the first import of each day.

    It keeps the day in the user's cache folder, and cannot be imported where there is none that can be written.
    """
    with (
        warnings.catch_warnings(),
        TemporaryDirectory() as folder,
        patch("platformdirs.user_cache_dir", lambda *_: folder),
    ):
        warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing", FutureWarning)
        import arviz

    return arviz


@dataclass(frozen=True, eq=False)
class Draws(Mapping[str, np.ndarray]):
    """Draws from the posterior of one recording, or of many.

    `draws["tau"]` has shape (draw,) for one recording and (dataset, draw) for many, in the parameter's unit.

    Attributes:
        names: Inferred parameters.
        array: All draws; without the leading axis for one recording.
        recordings: Name of each recording, or None for one.
        source: Name of the network, for tables and figures; "exact" where there was none.
        diagnostics: One row per recording: how the draws were made and whether to believe them (`Posterior.sample`
            and `reference_posterior` say which columns); None for draws made by hand.
        given: Values of the parameters that were not inferred: known ones, and those read off each recording, a number
            for one and of shape (dataset,) for many; None where they are not known.
        dt: Sampling interval of the recordings, in ms; None where it is not known.

    Two are equal if they are of the same parameters and recordings, and all their numbers are the same.

    Example:
        >>> draws = Draws(("tau",), np.array([[17.0], [18.0]]), given={"C": 90.0, "R_s": 0.0})
        >>> draws["tau"]
        array([17., 18.])
        >>> draws == Draws(("tau",), np.array([[17.0], [19.0]]))
        False
    """

    names: tuple[str, ...]
    array: Float64[np.ndarray, "*dataset draw param"]
    recordings: tuple[str, ...] | None = None
    source: str = field(default="", kw_only=True)
    diagnostics: pd.DataFrame | None = field(default=None, kw_only=True)
    given: Mapping[str, float | Float64[np.ndarray, "..."]] | None = field(default=None, kw_only=True)
    dt: float | None = field(default=None, kw_only=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Draws):
            return NotImplemented
        same = (self.names, self.recordings, self.array.shape) == (other.names, other.recordings, other.array.shape)
        return same and bool(np.array_equal(self.array, other.array, equal_nan=True))

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, name: str) -> Float64[np.ndarray, "*dataset draw"]:
        if name not in self.names:
            raise KeyError(f"No parameter {name!r} among the inferred {', '.join(self.names)}.")
        return self.array[..., self.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def of(self, index: int) -> "Draws":
        """Those of one of many recordings."""
        assert self.recordings is not None
        index = range(len(self.recordings))[index]
        rows = None if self.diagnostics is None else self.diagnostics.iloc[index : index + 1]
        given = self.given and {name: float(np.ravel(x)[index]) if np.ndim(x) else x for name, x in self.given.items()}
        return Draws(self.names, self.array[index], source=self.source, diagnostics=rows, given=given, dt=self.dt)

    @property
    def n_draws(self) -> int:
        """Draws per recording."""
        return self.array.shape[-2]

    @property
    def units(self) -> dict[str, str]:
        """Unit of each parameter."""
        return {name: UNITS[name] for name in self.names}

    def summary(self, *, interval: float = 0.9) -> pd.DataFrame:
        """Posterior mean, SD and central interval of each parameter.

        Args:
            interval: Probability inside the interval.

        Returns:
            One row per parameter, or per recording and parameter, with the columns unit, mean, sd, and the
            quantiles that bound the interval, named for example q05 and q95.
        """
        if not 0 < interval < 1:
            raise LeakyflowError(f"`interval` must lie between 0 and 1, got {interval}. 0.9 is usual.")
        tails = (0.5 - interval / 2, 0.5 + interval / 2)
        low, high = np.quantile(self.array, tails, axis=-2)
        columns = {
            "mean": self.array.mean(-2),
            "sd": self.array.std(-2),
            f"q{100 * tails[0]:02.3g}".replace("q5", "q05"): low,
            f"q{100 * tails[1]:02.3g}": high,
        }
        if self.recordings is None:
            index = pd.Index(self.names, name="parameter")
        else:
            index = pd.MultiIndex.from_product([self.recordings, self.names], names=["recording", "parameter"])
        table = pd.DataFrame({name: value.reshape(-1) for name, value in columns.items()}, index=index)
        table.insert(0, "unit", [UNITS[name] for name in index.get_level_values("parameter")])
        return table

    def to_dataframe(self) -> pd.DataFrame:
        """One row per draw, one column per parameter; indexed by draw, or by recording and draw."""
        draws = np.arange(self.n_draws)
        if self.recordings is None:
            index = pd.Index(draws, name="draw")
        else:
            index = pd.MultiIndex.from_product([self.recordings, draws], names=["recording", "draw"])
        return pd.DataFrame(self.array.reshape(-1, len(self.names)), columns=list(self.names), index=index)

    def parameters(self) -> Parameters:
        """The neurons that were drawn, with all that was not inferred, to simulate from.

        Returns:
            Inferred parameters of shape (draw,) for one recording, (dataset, draw) for many, those read off each of
            many of shape (dataset, 1), and the others as numbers.

        Raises:
            ValueError: If the draws were made by hand, without `given`.

        Example:
            >>> given = {"V_rest": -72.0, "C": 90.0, "V_th": -45.0, "threshold_noise": 0.0, "membrane_noise": 0.3}
            >>> given |= {"measurement_noise": 0.0, "V_reset": -60.0, "reset_noise": 5.0, "t_ref": 3.0}
            >>> neurons = Draws(("tau",), np.array([[17.0], [18.0]]), given=given).parameters()
            >>> neurons.tau, neurons.C
            (array([17., 18.]), 90.0)
        """
        if self.given is None:
            raise LeakyflowError(
                f"A neuron needs more than its {', '.join(self.names)}, and these draws do not say what else is known. "
                "Pass given=, with a value of each other parameter, where draws are made by hand.",
                argument="given",
            )
        given = {name: np.asarray(x)[:, None] if np.ndim(x) else x for name, x in self.given.items()}
        return Parameters(**given, **dict(self))

    def input_resistance(self) -> Float64[np.ndarray, "*dataset draw"]:
        """Steady change of the voltage by a small constant current, in MOhm: tau / C, but for sag and dendrite.

        Raises:
            ValueError: If the draws were made by hand, without `given`.

        Example:
            >>> import leakyflow as lf
            >>> given = {"V_rest": -72.0, "C": 100.0, "V_th": -45.0, "threshold_noise": 0.0, "membrane_noise": 0.3}
            >>> given |= {"V_reset": -60.0, "reset_noise": 5.0, "t_ref": 3.0, "sag": 1.0, "sag_tau": 100.0}
            >>> lf.Draws(("tau",), np.array([[20.0], [24.0]]), given=given, dt=0.2).input_resistance().round(3)
            array([100., 120.])
        """
        with double_precision():
            membrane = Membrane.of(self.parameters(), self.dt or STEP)
            return 1e3 * np.asarray(membrane.input_resistance(self.array.shape[:-1]))

    def to_arviz(
        self, recording: Recording | Cell | Batch | None = None, *, predictive: Batch | None = None
    ) -> "az.InferenceData":
        """ArviZ InferenceData; many recordings are a dimension, `recording`.

        Its groups are the `posterior`, of one chain, and with it `sample_stats`, which hold the diagnostics, k-hat and
        the effective sample size among them: numbers that are of a recording, not of a draw. `constant_data` are the
        parameters that were not inferred. With the recording come `observed_data` (V in mV and spikes), its current
        (I in pA, among the `constant_data`) and, where the likelihood is known, the `log_likelihood` of the whole
        recording at each draw. `posterior_predictive` is there where it is given.

        Args:
            recording: What the draws are of: a recording, a cell, or many; where these are padded, V and I are NaN.
            predictive: Simulations of the first of the draws, one each, under the current of the one recording: as
                `posterior_predictive(...).simulations` has them.

        Raises:
            ValueError: If the recording or the simulations are not those of the draws.
        """
        from leakyflow.likelihood.inference_data import inference_data

        return inference_data(self, recording, predictive)


def n_decimals(sd: float) -> int:
    """Decimals that show two digits of a posterior SD, which is how many of its numbers are worth showing."""
    return min(6, max(0, 1 - math.floor(math.log10(sd)))) if sd > 0 else 3
