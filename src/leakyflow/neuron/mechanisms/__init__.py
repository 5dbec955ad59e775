"""All mechanisms: every `Mechanism` in a module of this folder."""

import pkgutil
from importlib import import_module

from leakyflow.neuron.mechanism import Mechanism

__all__ = ["MECHANISMS"]

_MODULES = sorted(module.name for module in pkgutil.iter_modules(__path__))
_FOUND = [vars(import_module(f"{__name__}.{name}")) for name in _MODULES]
MECHANISMS: tuple[Mechanism, ...] = tuple(
    value for names in _FOUND for value in names.values() if isinstance(value, Mechanism)
)
