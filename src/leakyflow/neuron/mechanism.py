"""The contract of a mechanism: what it adds to the membrane, as pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from leakyflow.neuron.parameter import Parameter, Values

__all__ = ["Mechanism"]


class Mechanism(NamedTuple):
    """A current or a threshold that follows the voltage and the spikes before.

    Its state is a deterministic function of them. All functions are elementwise: parameters, voltages (mV) and spikes
    (0 or 1) come as arrays of any shape that broadcast. Voltages and parameters that are `absolute` may be shifted by
    one number together, so only their differences mean anything.

    Attributes:
        name: In tables; that of the parameter that switches it on.
        meaning: In a few words.
        parameters: Its rows of the table; it is on where the first of them is given.
        prepare: (parameters, dt in ms) -> whatever its other functions need, computed once.
        start: (prepared, V) -> its steady state at a constant voltage.
        advance: (prepared, state, V, spike) -> its state after a sample with this voltage and this spike.
        current: (prepared, state, V) -> current into the soma, in pA; None where it has none.
        threshold: (prepared, state) -> what it adds to the threshold, in mV; None where it adds nothing.
        soma: (prepared) -> share of the capacitance that the soma keeps; None where it keeps all.
        decay: Names of the amplitude and the time constant of what a spike adds and what decays; None without.
    """

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    prepare: Callable[[Any, Any], Any]
    start: Callable[[Any, Values], Any]
    advance: Callable[[Any, Any, Values, Values], Any]
    current: Callable[[Any, Any, Values], Values] | None = None
    threshold: Callable[[Any, Any], Values] | None = None
    soma: Callable[[Any], Values] | None = None
    decay: tuple[str, str] | None = None
