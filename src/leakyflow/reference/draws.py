"""Posterior draws, with names and units."""

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.simulator.parameters import UNITS

if TYPE_CHECKING:
    import arviz as az

__all__ = ["Draws", "import_arviz", "n_decimals"]


@cache
def import_arviz() -> Any:
    """ArviZ, which takes seconds to import, without the notice that it prints on the first import of each day."""
    with warnings.catch_warnings():
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
        source: Name of the network, for tables and figures; "reference" where there was none.
        diagnostics: One row per recording: how the draws were made and whether to believe them (`Posterior.sample`
            and `reference_posterior` say which columns); None for draws made by hand.
    """

    names: tuple[str, ...]
    array: Float64[np.ndarray, "*dataset draw param"]
    recordings: tuple[str, ...] | None = None
    source: str = field(default="", kw_only=True)
    diagnostics: pd.DataFrame | None = field(default=None, kw_only=True)

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
        rows = None if self.diagnostics is None else self.diagnostics.iloc[index : index + 1]
        return Draws(self.names, self.array[index], source=self.source, diagnostics=rows)

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
            raise ValueError(f"`interval` must lie between 0 and 1, got {interval}. 0.9 is usual.")
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

    def to_arviz(self) -> "az.InferenceData":
        """ArviZ InferenceData with a posterior group of one chain; many recordings are a dimension.

        The diagnostics are attributes, or coordinates of the recordings.
        """
        az = import_arviz()
        if self.recordings is None:
            posterior = {name: self[name][None] for name in self.names}
            data = az.from_dict(posterior=posterior)
        else:
            posterior = {name: self[name].T[None] for name in self.names}
            dims = {name: ["recording"] for name in self.names}
            data = az.from_dict(posterior=posterior, dims=dims, coords={"recording": list(self.recordings)})
        for name in self.names:
            data.posterior[name].attrs["units"] = UNITS[name]
        data.posterior.attrs["network"] = self.source
        if self.diagnostics is not None:
            for key, column in self.diagnostics.items():
                values = [_storable(value) for value in column]
                if self.recordings is None:
                    data.posterior.attrs[str(key)] = values[0]
                else:
                    data.posterior.coords[str(key)] = ("recording", values)
        return data


def _storable(value: Any) -> str | float:
    """NetCDF knows neither truth values nor None."""
    if isinstance(value, str):
        return value
    return float("nan") if value is None else float(value)


def n_decimals(sd: float) -> int:
    """Decimals that show two digits of a posterior SD, which is how many of its numbers are worth showing."""
    return min(6, max(0, 1 - math.floor(math.log10(sd)))) if sd > 0 else 3
