"""The prior: which parameters are known, which are inferred and which are read off each recording."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from pydantic import ConfigDict, Discriminator, RootModel, Tag, model_validator
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.neuron.parameter import Support
from leakyflow.neuron.parameters import TABLE, UNITS, Parameters, check_names, needed
from leakyflow.simulator.distributions import (
    AbstractDistribution,
    Distribution,
    Number,
    check_spread,
    math_of,
)

__all__ = ["Prior", "ReadOff"]

READABLE = tuple(name for name, row in TABLE.items() if row.reader)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ReadOff:
    """A parameter drawn in simulations and read off each recording, never inferred.

    Attributes:
        read_off: Its distribution in simulations.
    """

    read_off: Distribution


def _role(entry: Any) -> str:
    if isinstance(entry, ReadOff) or (isinstance(entry, Mapping) and "read_off" in entry):
        return "read_off"
    return "inferred" if isinstance(entry, AbstractDistribution | Mapping) else "known"


Entry = Annotated[
    Annotated[Number, Tag("known")] | Annotated[Distribution, Tag("inferred")] | Annotated[ReadOff, Tag("read_off")],
    Discriminator(_role),
]


class Prior(RootModel[dict[str, Entry]]):
    """What is believed of a neuron's parameters before any recording.

    It names what the neuron is made of: a parameter that it leaves out is off. Each of the others is known (a number),
    inferred (a distribution) or, where spikes or stretches at rest show it,
    read off (`ReadOff` of a distribution). In TOML:

        V_reset = -60.0
        tau = { family = "lognormal", median = 17.0, sigma = 0.5 }
        t_ref = { read_off = { family = "uniform", low = 2.0, high = 6.0 } }

    Args:
        root: One entry for each parameter that is not off, in its unit.

    Raises:
        ValueError: If a parameter is missing or unknown, none is inferred, one is read off that cannot be, or
            a time constant, capacitance, refractory period or noise could be negative.

    Example:
        >>> from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
        >>> prior = Prior({
        ...     "tau": LogNormal(median=17.0, sigma=0.5), "V_rest": Normal(mean=-72.0, sd=6.0), "C": 90.0,
        ...     "V_th": -45.0, "membrane_noise": 0.3,
        ...     "V_reset": -60.0, "reset_noise": 5.0, "t_ref": ReadOff(Uniform(low=2.0, high=6.0)),
        ... })
        >>> prior.inferred, prior.read_off
        (('tau', 'V_rest'), ('t_ref',))
        >>> prior.sample(1000, seed=1).tau.shape
        (1000,)
    """

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, entries: Any) -> Any:
        if not isinstance(entries, Mapping):
            return entries
        check_names(entries, tuple(TABLE), what="prior", missing=False)
        on = {name: entries[name] for name in TABLE if name in entries and not _off(name, entries[name])}
        check_names({name: 0 for name in on if name in needed(on)}, needed(on), what="prior")
        return on

    @model_validator(mode="after")
    def _check(self) -> "Prior":
        if not self.inferred:
            raise LeakyflowError("At least one parameter must be inferred, got none. Give one of them a distribution.")
        for name in set(self.read_off) - set(READABLE):
            raise LeakyflowError(
                f"Only {', '.join(READABLE)} can be read off a recording, got `{name}` as read off. "
                "Give its distribution directly to infer it, or a number."
            )
        for name, entry in self.root.items():
            _check_support(name, entry)
        return self

    def __hash__(self) -> int:
        return hash(tuple(self.root.items()))

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the inferred parameters, in the order of `Parameters`."""
        return tuple(self.distributions)

    @property
    def read_off(self) -> tuple[str, ...]:
        """Names of the parameters read off each recording, in the order of `Parameters`."""
        return tuple(name for name, entry in self.root.items() if isinstance(entry, ReadOff))

    @property
    def known(self) -> dict[str, float]:
        """Value of each known parameter, in its unit."""
        return {name: entry for name, entry in self.root.items() if isinstance(entry, float)}

    @property
    def n_inferred(self) -> int:
        """Number of inferred parameters."""
        return len(self.inferred)

    @property
    def distributions(self) -> dict[str, AbstractDistribution]:
        """Distribution of each inferred parameter, in the order of `inferred`."""
        return {name: entry for name, entry in self.root.items() if isinstance(entry, AbstractDistribution)}

    def sample(self, n: int, seed: int) -> Parameters:
        """Draw neurons from the prior, those read off included.

        Draw i is the same whatever n is, and each parameter has its own stream of random numbers.

        Args:
            n: Number of draws.
            seed: Not negative.

        Returns:
            float64 arrays of shape (n,); a known parameter is repeated.

        Raises:
            ValueError: If n or seed is negative.
        """
        if n < 0 or seed < 0:
            raise LeakyflowError(f"`n` and `seed` must not be negative, got n={n}, seed={seed}.")
        return Parameters(**{name: _draws(name, entry, n, seed) for name, entry in self.root.items()})

    def log_prob(self, parameters: Parameters) -> Float[Any, "..."]:
        """Log density of the inferred parameters, in their units.

        Known parameters and those read off do not enter: the posterior is conditional on them.

        Args:
            parameters: Numbers or arrays with the same leading axes.

        Returns:
            One value for each neuron; -inf outside the support.
        """
        terms = [d.log_prob(getattr(parameters, name)) for name, d in self.distributions.items()]
        return math_of(*terms).np.asarray(sum(terms))

    def to_unconstrained(self, parameters: Parameters) -> Float[Any, "... param"]:
        """Normal scores of the inferred parameters: standard normal and independent under the prior.

        Args:
            parameters: Numbers or arrays with the same leading axes.

        Returns:
            Normal scores along the last axis, in the order of `inferred`.

        Raises:
            ValueError: If a NumPy value is outside its support; a JAX value there gives NaN or infinity.
        """
        values = {name: getattr(parameters, name) for name in self.inferred}
        xp = math_of(*values.values()).np
        if xp is np:
            for name, distribution in self.distributions.items():
                _check_inside(name, distribution, np.asarray(values[name]))
        z = [d.to_unconstrained(values[name]) for name, d in self.distributions.items()]
        return xp.stack(xp.broadcast_arrays(*z), axis=-1)

    def from_unconstrained(
        self, z: Float[Any, "... param"], *, read_off: Mapping[str, Any] | None = None
    ) -> Parameters:
        """Parameters of the neurons whose inferred parameters have the normal scores z.

        Args:
            z: Normal scores along the last axis, in the order of `inferred`.
            read_off: A number, or an array with the leading axes of z, for each parameter read off.

        Returns:
            Arrays with the leading axes of z.

        Raises:
            ValueError: If z has another number of parameters, or `read_off` other names than the prior.
        """
        read_off = {} if read_off is None else read_off
        values = self.natural(z)
        check_names(read_off, self.read_off, what="read_off")
        xp = math_of(z, *read_off.values()).np
        fixed = {
            name: xp.broadcast_to(xp.asarray(value, z.dtype), z.shape[:-1])
            for name, value in {**self.known, **read_off}.items()
        }
        return Parameters(**fixed, **{name: values[..., i] for i, name in enumerate(self.inferred)})

    def natural(self, z: Float[Any, "... param"]) -> Float[Any, "... param"]:
        """Inferred parameters that have the normal scores z, in their units.

        Args:
            z: Normal scores along the last axis, in the order of `inferred`.

        Returns:
            Of the same shape.

        Raises:
            ValueError: If z has another number of parameters.
        """
        self._check_scores(z)
        xp = math_of(z).np
        distributions = self.distributions.values()
        return xp.stack([xp.asarray(d.from_unconstrained(z[..., i])) for i, d in enumerate(distributions)], axis=-1)

    def scores(
        self, theta: Float[np.ndarray, "... param"]
    ) -> tuple[Float[np.ndarray, "... param"], Bool[np.ndarray, "..."]]:
        """Normal scores of any numbers, as `to_unconstrained` gives them for neurons of the prior.

        Args:
            theta: Values of the inferred parameters along the last axis, in the order of `inferred`.

        Returns:
            Normal scores, and whether all values of a row lie inside their support; a score is 0 where not.

        Raises:
            ValueError: If theta has another number of parameters.
        """
        self._check_scores(theta)
        z, supported = np.zeros(theta.shape), np.ones(theta.shape[:-1], bool)
        for i, distribution in enumerate(self.distributions.values()):
            low, high = distribution.support
            inside = (theta[..., i] > low) & (theta[..., i] < high)
            supported &= inside
            safe = np.where(inside, theta[..., i], distribution.from_unconstrained(0.0))
            z[..., i] = distribution.to_unconstrained(safe)
        return z, supported

    def log_det_jacobian(self, z: Float[Any, "... param"]) -> Float[Any, "..."]:
        """Log of the volume that the map from normal scores to inferred parameters makes of a unit.

        `log_prob(from_unconstrained(z)) + log_det_jacobian(z)` is the standard normal log density of z.

        Args:
            z: Normal scores along the last axis, in the order of `inferred`.

        Returns:
            One value for each neuron.

        Raises:
            ValueError: If z has another number of parameters.
        """
        self._check_scores(z)
        terms = [d.log_det_jacobian(z[..., i]) for i, d in enumerate(self.distributions.values())]
        return math_of(z).np.asarray(sum(terms))

    def _check_scores(self, z: Float[Any, "..."]) -> None:
        if z.ndim == 0 or z.shape[-1] != self.n_inferred:
            raise LeakyflowError(
                f"The last axis must be the {self.n_inferred} inferred parameters "
                f"({', '.join(self.inferred)}), got shape {tuple(z.shape)}."
            )


def _off(name: str, entry: Any) -> bool:
    """Whether a number says no more than leaving the parameter out."""
    return TABLE[name].off is not None and isinstance(entry, int | float) and bool(entry == TABLE[name].off)


def _check_support(name: str, entry: Entry) -> None:
    support, unit = TABLE[name].support, UNITS[name]
    if isinstance(entry, float):
        if not support.holds(entry):
            raise LeakyflowError(f"`{name}` must {_within(support, unit)}, got {entry:g} {unit}.")
        return
    distribution = entry.read_off if isinstance(entry, ReadOff) else entry
    check_spread(name, distribution)
    low, high = distribution.support
    if low < support.low or high > support.high:
        raise LeakyflowError(
            f"`{name}` must {_within(support, unit)}, got a distribution from {low:g} to {high:g} {unit}. "
            "Use LogNormal, or Uniform or TruncatedNormal between these."
        )


def _within(support: Support, unit: str) -> str:
    if support.high < np.inf:
        return f"lie between {support.low:g} and {support.high:g} {unit}"
    return "be 0 or positive" if support.closed else "be positive"


def _check_inside(name: str, distribution: AbstractDistribution, x: Float[np.ndarray, "..."]) -> None:
    low, high = distribution.support
    bad = ~((x > low) & (x < high))
    if bad.any():
        raise LeakyflowError(
            f"`{name}` must lie between {low:g} and {high:g} {UNITS[name]}, the support of its prior; "
            f"{bad.sum()} of {bad.size} do not (first: {x[bad].flat[0]:g} {UNITS[name]}). "
            "Widen the prior, or leave these out."
        )


def _draws(name: str, entry: Entry, n: int, seed: int) -> Float[np.ndarray, " dataset"]:
    if isinstance(entry, float):
        return np.full(n, entry)
    distribution = entry.read_off if isinstance(entry, ReadOff) else entry
    # The name keys the stream, so a parameter added to the model leaves the draws of the others alone.
    sequence = np.random.SeedSequence(seed, spawn_key=tuple(f"prior.{name}".encode()))
    return np.asarray(distribution.from_unconstrained(np.random.default_rng(sequence).standard_normal(n)))
