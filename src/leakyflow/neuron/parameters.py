"""The one table of parameters, and the values that a neuron gives them."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.neuron.parameter import NOT_NEGATIVE, POSITIVE, Parameter

__all__ = ["MEANINGS", "REQUIRED", "TABLE", "UNITS", "Parameters", "check_names", "check_ranges", "needed"]

_BASE = (
    Parameter(name="tau", symbol=r"\tau", unit="ms", meaning="membrane time constant", support=POSITIVE),
    Parameter(
        name="V_rest",
        symbol=r"V_{\mathrm{rest}}",
        unit="mV",
        meaning="resting potential",
        absolute=True,
    ),
    Parameter(name="C", symbol="C", unit="pF", meaning="membrane capacitance", support=POSITIVE),
    Parameter(name="V_th", symbol=r"V_{\mathrm{th}}", unit="mV", meaning="spike threshold (absolute)", absolute=True),
    Parameter(
        name="threshold_noise",
        symbol=r"\sigma_{\mathrm{th}}",
        unit="mV",
        meaning="SD of the threshold from step to step; 0 is the hard threshold",
        support=NOT_NEGATIVE,
        off=0.0,
    ),
    Parameter(
        name="membrane_noise",
        symbol=r"\sigma",
        unit="mV/sqrt(ms)",
        meaning="diffusion of V; 0 gives the ordinary differential equation",
        support=NOT_NEGATIVE,
        off=0.0,
        reader="rest",
    ),
    Parameter(
        name="measurement_noise",
        symbol=r"\sigma_{\mathrm{m}}",
        unit="mV",
        meaning="SD of the electrode noise on each sample",
        support=NOT_NEGATIVE,
        off=0.0,
        scope="sweep",
        reader="rest",
    ),
    Parameter(
        name="V_reset",
        symbol=r"V_{\mathrm{reset}}",
        unit="mV",
        meaning="mean voltage at which the neuron is released after a spike",
        scope="sweep",
        reader="spikes",
        absolute=True,
    ),
    Parameter(
        name="reset_noise",
        symbol=r"\sigma_{\mathrm{reset}}",
        unit="mV",
        meaning="SD of that voltage from spike to spike",
        support=NOT_NEGATIVE,
        off=0.0,
        scope="sweep",
        reader="spikes",
    ),
    Parameter(
        name="t_ref",
        symbol=r"t_{\mathrm{ref}}",
        unit="ms",
        meaning="refractory period",
        support=NOT_NEGATIVE,
        scope="sweep",
        reader="spikes",
    ),
    Parameter(
        name="current_noise",
        symbol=r"\sigma_{I}",
        unit="pA",
        meaning="SD of the Ornstein-Uhlenbeck current noise",
        support=NOT_NEGATIVE,
        off=0.0,
        reader="rest",
    ),
    Parameter(
        name="current_noise_tau",
        symbol=r"\tau_{I}",
        unit="ms",
        meaning="time constant of the current noise",
        support=POSITIVE,
        reader="rest",
    ),
    Parameter(
        name="R_s",
        symbol=r"R_{\mathrm{s}}",
        unit="GOhm",
        meaning="series resistance that the bridge left",
        off=0.0,
    ),
)

TABLE: dict[str, Parameter] = {
    row.name: row for row in (*_BASE, *(row for mechanism in MECHANISMS for row in mechanism.parameters))
}

UNITS = {name: row.unit for name, row in TABLE.items()}
MEANINGS = {name: row.meaning for name, row in TABLE.items()}
# What every neuron needs.
REQUIRED = ("tau", "V_rest", "C", "V_th", "V_reset", "t_ref")
# What is on by its first parameter needs the others.
_SWITCHES = {mechanism.name: [row.name for row in mechanism.parameters[1:]] for mechanism in MECHANISMS}
_SWITCHES["current_noise"] = ["current_noise_tau"]


@jax.tree_util.register_pytree_node_class
class Parameters(Mapping[str, Any]):
    """What a neuron's parameters are: numbers, or arrays with the same leading axes.

    Only what differs from off is held, and which those are says what the neuron is made of: a neuron without
    `ahp_fast` has no fast after-spike current. `p.tau` and `p["tau"]` give a value, that of off where none is held.
    pA / pF = mV / ms, so no conversion factor appears in any equation; the input resistance is tau / C in GOhm.

    Args:
        values: By name, in the unit of the table; numbers that are off are left out.

    Raises:
        LeakyflowError: If there is no parameter of that name.

    Example:
        >>> neuron = Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0, reset_noise=0.0)
        >>> sorted(neuron), neuron.reset_noise
        (['C', 'V_reset', 'V_rest', 'V_th', 't_ref', 'tau'], 0.0)
        >>> neuron.replace(sag=0.4, sag_tau=50.0).mechanisms[0].meaning
        'subthreshold adaptation (sag)'
    """

    __slots__ = ("_values",)

    def __init__(self, **values: Any) -> None:
        check_names(values, tuple(TABLE), what="Parameters", missing=False)
        kept = {name: values[name] for name in TABLE if name in values and not _off(name, values[name])}
        object.__setattr__(self, "_values", kept)

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """Those that are on."""
        return tuple(mechanism for mechanism in MECHANISMS if mechanism.name in self._values)

    def replace(self, **changes: Any) -> "Parameters":
        """The same with other values."""
        return Parameters(**{**self._values, **changes})

    def map(self, function: Callable[[Any], Any]) -> "Parameters":
        """The same with a function of each value."""
        return self.tree_unflatten(tuple(self._values), tuple(map(function, self._values.values())))

    def without(self, *names: str) -> "Parameters":
        """The same without some of them, which are then off."""
        return Parameters(**{name: value for name, value in self._values.items() if name not in names})

    def pruned(self) -> "Parameters":
        """The same without arrays that are off throughout."""
        return self.without(*(n for n, v in self._values.items() if TABLE[n].off is not None and not np.any(v)))

    def shifted(self, V: Any) -> "Parameters":
        """The same neuron on an axis of voltages whose zero is at V."""
        kept = tuple(value - V if TABLE[name].absolute else value for name, value in self._values.items())
        return self.tree_unflatten(tuple(self._values), kept)

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        off = TABLE[name].off if name in TABLE else None
        if off is None:
            raise KeyError(name)
        return off

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"No value of `{name}` among {', '.join(self)}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters) or list(self) != list(other):
            return False
        return all(np.array_equal(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"

    def __reduce__(self) -> tuple:
        return _made, (dict(self._values),)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """For JAX: the values, and the names."""
        return tuple(self._values.values()), tuple(self._values)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Any) -> "Parameters":
        """For JAX: values of any kind under the same names."""
        made = object.__new__(cls)
        object.__setattr__(made, "_values", dict(zip(names, values, strict=True)))
        return made


def _made(values: dict[str, Any]) -> Parameters:
    return Parameters.tree_unflatten(tuple(values), tuple(values.values()))


def _off(name: str, value: Any) -> bool:
    """Whether a number switches off what it belongs to."""
    return TABLE[name].off is not None and isinstance(value, int | float) and bool(value == TABLE[name].off)


def needed(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of all parameters that a neuron with those given must have."""
    more = [name for switch, names in _SWITCHES.items() if switch in given for name in names]
    return tuple(name for name in TABLE if name in REQUIRED or name in more)


def check_names(given: Mapping[str, Any], expected: tuple[str, ...], *, what: str, missing: bool = True) -> None:
    """Refuse names that are not expected and, unless told otherwise, those that are missing.

    Raises:
        LeakyflowError: With the nearest name that there is.
    """
    for name in given:
        if name not in expected:
            nearest = difflib.get_close_matches(str(name), expected, n=1, cutoff=0.0)
            hint = f"Did you mean `{nearest[0]}`?" if nearest else "Leave it out."
            raise LeakyflowError(
                f"`{what}` has no parameter `{name}`. {hint} It takes: {', '.join(expected) or 'none'}."
            )
    absent = [name for name in expected if name not in given]
    if missing and absent:
        raise LeakyflowError(f"`{what}` must give {', '.join(expected)}; missing: {', '.join(absent)}.")


def check_ranges(values: Mapping[str, Any]) -> None:
    """Refuse values outside their support, or not finite.

    Raises:
        LeakyflowError: With the first of them.
    """
    for name, given in values.items():
        value = np.asarray(given, np.float64)
        low, high, closed = TABLE[name].support
        good = np.isfinite(value) & ((value >= low) if closed else (value > low)) & (value < high)
        if not good.all():
            bad, unit = value if value.ndim == 0 else value[~good][0], UNITS[name]
            below = f" and < {high:g} {unit}" if np.isfinite(high) else ""
            least = f" and {'>=' if closed else '>'} {low:g} {unit}" if np.isfinite(low) else ""
            raise LeakyflowError(
                f"`{name}` must be finite{least}{below}, got {bad:g} ({np.sum(~good)} of {value.size} neurons). "
                "Change the number, or the prior that drew it.",
                argument=name,
            )
