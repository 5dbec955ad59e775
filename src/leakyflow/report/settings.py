"""What a configuration says, as tables to read: parameters, priors, stimuli, every setting, every layer."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from leakyflow.diagnostics.plots.style import symbol as typeset
from leakyflow.diagnostics.plots.style import unit
from leakyflow.models.network import Network
from leakyflow.neuron.parameters import MEANINGS
from leakyflow.report.page import Markdown
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.distributions import AbstractDistribution, LogNormal, Normal, TruncatedNormal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from leakyflow.simulator.protocols import Protocol
from leakyflow.simulator.stimulus_prior import NOT_DRAWN
from leakyflow.training.config import Config

__all__ = ["described", "layers", "parameters", "settings", "stimuli", "symbol"]

TAILS = {"q01": 0.01, "q50": 0.5, "q99": 0.99}
# Of the arguments of stimuli; what is missing has none.
STIMULUS_UNITS = {
    **dict.fromkeys(("amplitude", "mean", "sd", "start", "stop", "holding"), "pA"),
    **dict.fromkeys(("frequency", "start_frequency", "stop_frequency", "modulation_frequency"), "Hz"),
    "correlation_time": "ms",
    "phase": "rad",
}
RELATIVE = "rheobases"


def symbol(name: str) -> Markdown:
    """Symbol of a parameter, or the name of another quantity."""
    return Markdown(typeset(name))


def described(value: AbstractDistribution | float) -> str:
    """A distribution, or a number, in words."""
    match value:
        case Normal(mean=mean, sd=sd):
            return f"normal, mean {mean:g}, SD {sd:g}"
        case LogNormal(median=median, sigma=sigma):
            return f"log-normal, median {median:g}, SD of the log {sigma:g}"
        case Uniform(low=low, high=high):
            return f"uniform, {low:.4g} to {high:.4g}"
        case TruncatedNormal(mean=mean, sd=sd, low=low, high=high):
            return f"normal, mean {mean:g}, SD {sd:g}, cut at {low:g} and {high:g}"
        case _:
            return f"{value:g}"


def parameters(prior: Prior) -> pd.DataFrame:
    """One row per parameter: symbol, unit, meaning, role, distribution, and its 1, 50 and 99 % quantiles."""
    rows = []
    for name, entry in prior.root.items():
        role = "read off" if isinstance(entry, ReadOff) else "known" if isinstance(entry, float) else "inferred"
        value = entry.read_off if isinstance(entry, ReadOff) else entry
        row: dict[str, Any] = {"symbol": symbol(name), "unit": unit(name), "meaning": MEANINGS[name], "role": role}
        row |= {"distribution": described(value)}
        if isinstance(value, AbstractDistribution):
            row |= {key: float(np.asarray(value.quantile(tail))) for key, tail in TAILS.items()}
        rows.append(row)
    return pd.DataFrame(rows, columns=["symbol", "unit", "meaning", "role", "distribution", *TAILS])


def stimuli(simulator: SimulatorConfig) -> pd.DataFrame:
    """One row per stimulus prior or protocol: its name, share of recordings or cells, and what its arguments are."""
    kinds: list[tuple[Any, float, str, str | None]] = [(prior, prior.weight, "", None) for prior in simulator.stimuli]
    for protocol in simulator.protocols or ():
        kinds.append((protocol.stimulus, protocol.weight, f"{_sweeps(protocol)}; ", protocol.vary))
    total, relative = sum(kind[1] for kind in kinds), bool(simulator.protocols)
    rows = []
    for name, (prior, weight, sweeps, vary) in zip(simulator.kinds, kinds, strict=True):
        given = {field.name: getattr(prior, field.name) for field in fields(prior) if field.name not in NOT_DRAWN}
        words = [
            f"{key.replace('_', ' ')}: {_with_unit(key, value, relative)}"
            for key, value in given.items()
            if key != vary  # which the sweeps say
        ]
        rows.append(
            {"waveform": name.replace("_", "-"), "share": weight / total, "arguments": sweeps + "; ".join(words)}
        )
    return pd.DataFrame(rows)


def _sweeps(protocol: Protocol) -> str:
    """How many there are, and what moves from one to the next."""
    words = "{} to {} sweeps".format(*protocol.n_sweeps)
    if protocol.vary is None:
        return words
    first, last = (_with_unit(protocol.vary, value, True) for value in (protocol.first, protocol.last))
    return f"{words}; {protocol.vary.replace('_', ' ')} from {first} to {last}"


def _with_unit(name: str, value: AbstractDistribution | float, relative: bool) -> str:
    """Currents of protocols are in units of what a search finds the cell to need, about its rheobase."""
    unit = STIMULUS_UNITS.get(name, "")
    return f"{described(value)} {RELATIVE if relative and unit == 'pA' else unit}".strip()


def settings(config: Config) -> pd.DataFrame:
    """Every setting of training and networks: table, setting, value."""
    tables = {
        name: value for name, value in config.to_dict().items() if isinstance(value, dict) and name != "simulator"
    }
    rows = [{"table": name, "setting": key, "value": value} for name, key, value in _flat(tables)]
    simulator = config.simulator
    shown = {"dt (ms)": simulator.dt, "duration (ms)": list(simulator.duration)}
    rows += [{"table": "simulator", "setting": key, "value": str(value)} for key, value in shown.items()]
    return pd.DataFrame(rows)


def _flat(tables: dict[str, Any], place: str = "") -> Iterator[tuple[str, str, str]]:
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{place}.{key}".strip("."))
        else:
            yield place, key, str(value)


def layers(network: Network) -> pd.DataFrame:
    """The layers of summary network and flow, in order: part, layer, size, parameters, and how many are trained."""
    summary, flow = network.approximator.summary_network, network.approximator.inference_network
    rows = [
        _layer("summary", f"standardize {name}, arcsinh", layer, layer.mean.shape[0])
        for name, layer in summary.standardize.items()
    ]
    rows += [
        _layer("summary", f"LSTM, {layer.name.removeprefix('lstm_')}", layer, layer.units)
        for layer in getattr(summary, "recurrent", [])
    ]
    rows += [
        _layer("summary", f"dense on {name}, ReLU", layer, layer.units)
        for name, branch in summary.branches.items()
        for layer in branch.layers
    ]
    names = {"ActNorm": "ActNorm", "RandomPermutation": "permutation", "InvertibleBatchNormalization": "batch norm"}
    config = network.config.flow
    coupling = f"{config.transform} coupling of two halves, each a network of {' and '.join(map(str, config.widths))}"
    n_couplings = 0
    for layer in flow.invertible_layers:
        name = names.get(type(layer).__name__)
        n_couplings += name is None
        rows.append(_layer("flow", name or f"{coupling} units ({n_couplings})", layer, len(network.names)))
    return pd.DataFrame(rows)


def _layer(part: str, name: str, layer: Any, size: int) -> dict[str, Any]:
    trained = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
    return {"part": part, "layer": name, "size": size, "parameters": int(layer.count_params()), "trained": trained}
