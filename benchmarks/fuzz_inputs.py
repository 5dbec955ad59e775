"""Valid inputs of every kind, and what is done with each. Used by `benchmarks/fuzz.py`."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.recordings.abf2 import Out, write_abf2
from tests.recordings.synthetic import WRITERS, sweep, write

__all__ = ["KINDS", "Kind"]

DT, DURATION = 0.1, 300.0  # ms; a few kB
LEAST_V, MOST_V = -1000.0, 1000.0  # mV, beyond which no recording can be believed


class Kind(NamedTuple):
    """Inputs of one kind."""

    make: Callable[[Path], None]  # fills a folder
    names: tuple[str, ...]  # what may be damaged in it
    use: Callable[[Path], bytes]  # what is done with it; a digest of the answer
    commands: Callable[[Path], list[list[str]]] = lambda folder: []  # the same on the command line
    sealed: bool = False  # whether a checksum shows each change of its bytes
    weight: int = 1  # inputs of this kind to one of a format of recordings


def digest(*values: Any) -> bytes:
    found = hashlib.sha256()
    for value in values:
        found.update(np.ascontiguousarray(value).tobytes() if isinstance(value, np.ndarray) else str(value).encode())
    return found.digest()


# --- recordings


def read(path: Path) -> bytes:
    """A recording, its sweeps and its cell; they must be numbers that a cell can have."""
    from leakyflow.recordings.read import read_recording
    from leakyflow.recordings.read_cell import read_cell
    from leakyflow.recordings.sweeps import list_sweeps

    found = list_sweeps(path, every=True)
    recording = read_recording(path, sweep=0 if len(found) > 1 else None)
    cell = read_cell(path)
    for one in (recording, *cell.sweeps):
        assert np.isfinite([one.V, one.I]).all(), "not finite"
        assert LEAST_V <= one.V.min() <= one.V.max() <= MOST_V, "not a voltage"
        assert len(one.V) == len(one.I) == len(one.spikes) == len(one.refractory), "of several lengths"
    return digest(recording.V, recording.I, recording.spikes, recording.refractory, recording.dt, len(found))


def terminal(name: str) -> Callable[[Path], list[list[str]]]:
    """What is typed of a recording; the network is the default one."""
    return lambda f: [["sweeps", f"{f}/{name}"], ["infer", f"{f}/{name}", "--draws", "100", "--out", f"{f}/out"]]


def recording(kind: str) -> Kind:
    name = WRITERS[kind][0]

    def make(folder: Path) -> None:
        V, I = sweep(DT, DURATION, spikes=(250.0,))
        write(kind, folder, V, I, DT)

    names = (name, name, name.replace("ch1", "ch0"))
    sealed = name.endswith((".npz", ".gz"))
    return Kind(make, names, lambda folder: read(folder / name), terminal(name), sealed)


def saved(name: str) -> Kind:
    def make(folder: Path) -> None:
        from leakyflow.recordings.files.saved import save_recording
        from leakyflow.recordings.read import read_recording

        V, I = sweep(DT, DURATION, spikes=(250.0,))
        save_recording(read_recording(write("csv", folder, V, I, DT)), folder / name)

    return Kind(make, (name,), lambda folder: read(folder / name), terminal(name), name.endswith(".npz"))


def abf2(folder: Path) -> None:
    """Two sweeps whose command is in the table of epochs."""
    V, _ = sweep(DT, DURATION, spikes=(250.0,))
    epochs = ((1, 0.0, 0.0, 953, 0), (1, 130.0, 10.0, 2000, 0))
    write_abf2(folder / "cell.abf", [[V], [V + 1.0]], dt=DT, outputs=(Out(epochs=epochs),))


def case(file: str, *others: str) -> Kind:
    """A small input that once failed, from beside the project, with the files that belong to it."""
    folder, name = (Path(__file__).parents[2] / "shared" / "cases" / file).parent, Path(file).name

    def make(to: Path) -> None:
        shutil.copytree(folder, to, dirs_exist_ok=True)

    return Kind(make, (name, *others), lambda f: read(f / name), terminal(name))


# --- configurations


TOML = """base = "quick"
name = "fuzzed"
[training]
n_simulations = 200
epochs = 1
batch_size = 64
learning_rate = 1e-3
schedule = "cosine"
gradient_clip = 1.0
seed = 1
[network.summary]
variant = "both"
widths = [16, 16]
lstm_units = 8
patch = 25
[network.flow]
depth = 2
transform = "spline"
widths = [16, 16]
[simulator]
dt = 0.2
duration = [100.0, 120.0]
[simulator.prior]
tau = { family = "lognormal", median = 17.0, sigma = 0.5 }
V_rest = { family = "normal", mean = -72.0, sd = 6.0 }
C = { family = "uniform", low = 40.0, high = 200.0 }
V_th = { family = "truncated_normal", mean = -45.0, sd = 6.0, low = -60.0, high = -30.0 }
membrane_noise = 0.3
V_reset = { read_off = { family = "normal", mean = -60.0, sd = 3.0 } }
t_ref = 3.0
reset_noise = 5.0
[[simulator.stimuli]]
waveform = "square"
amplitude = { family = "uniform", low = 0.0, high = 300.0 }
weight = 0.5
[[simulator.stimuli]]
waveform = "ornstein_uhlenbeck"
sd = 20.0
correlation_time = 4.0
"""


def configured(folder: Path) -> bytes:
    """A network, a neuron, its recording, and what the network is given of it."""
    from leakyflow.models.network import Network
    from leakyflow.simulator.dataset import make_dataset
    from leakyflow.training.config import load_config

    config = load_config(folder / "mine.toml")
    recordings = make_dataset(config, 2, seed=config.training.seed).recordings()
    network = Network(config.network, config.simulator, seed=None)
    arrays = network.inputs(network.features(recordings), recordings)
    return digest(config.hash, recordings.V, *arrays.values())


# --- data sets


@cache
def tiny() -> Any:
    from leakyflow.training.config import load_config

    config = load_config("quick")
    simulator = replace(config.simulator, duration=(100.0, 110.0))
    training = replace(config.training, n_simulations=200, epochs=2, batch_size=64)
    return replace(config, simulator=simulator, training=training)


def dataset(folder: Path) -> None:
    from leakyflow.simulator import dataset as module

    module.CHUNK = 8
    module.make_dataset(tiny(), 20, seed=1, out=folder / "data")


def opened(folder: Path) -> bytes:
    """All that a data set holds; then the call that would finish it."""
    from leakyflow.simulator import dataset as module

    found = module.open_dataset(folder / "data")
    first = contents(found)
    module.CHUNK = 8
    return digest(first, contents(module.make_dataset(tiny(), 20, seed=1, out=folder / "data")))


def contents(found: Any) -> bytes:
    batch, theta = found.recordings(), found.parameters()
    arrays = [np.asarray(value) for value in theta.values()]
    return digest(
        batch.V, batch.I, batch.spikes, batch.refractory, batch.n_samples, found.stimulus(), found.header, *arrays
    )


# --- folders of networks


def shipped(folder: Path) -> None:
    """A network that ships, and a recording for it."""
    from leakyflow.recordings.files.saved import save_recording
    from leakyflow.simulator.dataset import make_dataset
    from leakyflow.training.config import load_config
    from leakyflow.training.run import SHIPPED

    save_recording(make_dataset(load_config("standard"), 1, seed=3).recordings()[0], folder / "cell.npz")
    shutil.copytree(SHIPPED / "standard", folder / "net")


def loaded(folder: Path) -> bytes:
    """The network, the losses of its training, and the verdicts on it."""
    from leakyflow.diagnostics.convergence import measure_convergence, read_history
    from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
    from leakyflow.training.run import load_posterior

    net = folder / "net"
    posterior = load_posterior(net)
    weights = [np.asarray(weight) for weight in posterior.network.approximator.weights]
    history = read_history(net)
    suite = Suite(net, net / DIAGNOSTICS)
    suite.finished()  # nothing, where the file of weights was changed, whatever in it
    return digest(posterior.prior, suite.config.hash, *weights, measure_convergence(history))


@cache
def known() -> tuple[Any, Any]:
    from leakyflow.simulator.dataset import make_dataset
    from leakyflow.training.run import load_posterior

    posterior = load_posterior("standard")
    return posterior, make_dataset(tiny(), 3, seed=1).recordings()


def typical(folder: Path) -> bytes:
    from leakyflow.diagnostics.typicality import TYPICALITY, Typicality

    posterior, recordings = known()
    verdict = Typicality.load(folder / "net" / TYPICALITY, posterior).check(recordings[0])
    return digest(verdict)


def run(folder: Path) -> None:
    from leakyflow.simulator.dataset import make_dataset
    from leakyflow.training.fit import train

    train(tiny(), make_dataset(tiny(), 200, seed=1), out=folder / "run")


def resumed(folder: Path) -> bytes:
    """Where a run stood."""
    from leakyflow.models.network import Network
    from leakyflow.training.config import load_config
    from leakyflow.training.fit import Checkpoint, give_optimizer
    from leakyflow.training.run import check_formulas

    path = folder / "run"
    check_formulas(path)
    config = load_config(path / "config.toml")
    network = Network(config.network, config.simulator, seed=None)
    give_optimizer(network.approximator, config.training)
    checkpoint = Checkpoint(network, path)
    return digest(checkpoint.history, *[np.asarray(weight) for weight in network.approximator.weights])


# --- tables and draws that commands left


def results(folder: Path) -> None:
    """A network that ships, with the numbers and verdicts of its diagnosis."""
    shipped(folder)


def tables(folder: Path) -> bytes:
    from leakyflow.report.card import card

    return digest(card(folder / "net"))


def drawn(folder: Path) -> None:
    """Draws of neurons with all that belongs to them."""
    from leakyflow.likelihood.draws import Draws
    from leakyflow.likelihood.write_draws import write_draws

    known = {"V_rest": -72.0, "C": 90.0, "V_th": -45.0, "threshold_noise": 0.0, "membrane_noise": 0.3}
    known |= {"V_reset": -60.0, "reset_noise": 5.0, "t_ref": 3.0}
    table = pd.DataFrame([{"method": "importance", "k_hat": 0.1, "note": ""}], pd.Index(["cell"], name="recording"))
    array = np.random.default_rng(1).uniform(15.0, 25.0, (100, 1))
    draws = Draws(("tau",), array, source="lif", diagnostics=table, given=known, dt=0.2)
    write_draws(draws, folder / "cell.nc", recording="cell", file="cell.abf")


def draws_of(folder: Path) -> bytes:
    from leakyflow.likelihood.read_draws import read_draws

    found = read_draws(folder / "cell.nc")
    rows = None if found.diagnostics is None else found.diagnostics.to_dict()
    return digest(found.names, found.array, found.source, rows, found.given, found.dt, found.parameters())


def exported(folder: Path) -> None:
    """A neuron in the format of the Allen Institute, with all that the format has."""
    from tests.exports.test_round_trip import QUIET
    from tests.neuron.cases import ON

    from leakyflow.exports.export import export

    export(
        QUIET.replace(**ON["ahp_fast"], **ON["ahp_slow"], **ON["threshold_jump"]),
        "allen",
        out=folder / "n.json",
        dt=0.1,
    )


def glif(folder: Path) -> bytes:
    from leakyflow.exports.allen import read_glif

    return digest(read_glif(folder / "n_glif.json"))


def batched(folder: Path) -> None:
    """A batch of two files in two shards."""
    from leakyflow.recordings.files.saved import save_recording
    from leakyflow.simulator.dataset import make_dataset

    (folder / "cells").mkdir()
    for i, one in enumerate(make_dataset(tiny(), 2, seed=3).recordings()):
        save_recording(one, folder / "cells" / f"{i}.npz")
    gathered(folder)


def gathered(folder: Path) -> bytes:
    """What the command does that goes on with a batch, but for workers of Dask."""
    from leakyflow.batches.batch import begin, run
    from leakyflow.batches.collect import collect
    from leakyflow.batches.settings import Settings

    out, settings = folder / "results", Settings(n_draws=100, correct=False)
    manifest = begin(folder / "cells", out, network="standard", settings=settings, shard_size=1)
    for index in range(len(manifest.shards)):
        run(out, shard=index)
    return digest(collect(out).to_csv())


def summarized(folder: Path) -> bytes:
    """What `make_summaries` does that goes on, and all that it keeps."""
    from leakyflow.batches.summaries import make_summaries

    for shard in range(2):
        found = make_summaries(tiny(), 20, seed=1, out=folder / "kept", shard_size=10, shard=shard)
    return digest(*(table.to_csv() for table in found.tables()))


CASES: dict[str, tuple[str, ...]] = {
    "abf with a stimulus file": ("abf_stimulus_file_of_many_sweeps/played.abf", "step cclamp.atf"),
    "abf2 with a user list": ("abf_user_list_levels/user_list.abf",),
    "nwb of two patches": ("nwb_dual_patch/cell.nwb",),
    "nwb with a table": ("nwb_table_stimulus_start_index/cell.nwb",),
    "nwb 1": ("nwb_version_1_allen/ephys.nwb",),
}
NETS = ("config.toml", "run.json", "network.weights.h5", "history.csv", "diagnostics/checks.json")
RUN = ("run/last.npz", "run/last.npz", "run/run.json", "run/config.toml")
ROWS = tuple(f"results/shards/0000{i}/rows.json" for i in range(2))
KEPT = tuple(f"kept/shards/0000{i}/summaries.parquet" for i in range(2))
FOUND = ("net/diagnostics", "net/diagnostics/recovery_amortized.csv", "net/diagnostics/checks.json")
KINDS: dict[str, Kind] = {
    **{f"recording {kind}": recording(kind) for kind in WRITERS},
    "recording saved as npz": saved("saved.npz"),
    "recording saved as nwb": saved("saved.nwb"),
    "recording abf2": Kind(abf2, ("cell.abf",), lambda f: read(f / "cell.abf"), terminal("cell.abf")),
    **{f"recording {name}": case(*files) for name, files in CASES.items()},
    "configuration": Kind(
        lambda folder: (folder / "mine.toml").write_text(TOML) and None,
        ("mine.toml",),
        configured,
        lambda f: [["simulate", "--config", f"{f}/mine.toml", "--n", "2", "--out", f"{f}/data"]],
        weight=3,
    ),
    "data set": Kind(dataset, ("data",), opened, sealed=True, weight=4),
    "network": Kind(
        shipped,
        ("net", *(f"net/{name}" for name in NETS)),
        loaded,
        lambda f: [["infer", f"{f}/cell.npz", "--network", f"{f}/net", "--draws", "100", "--out", f"{f}/out"]],
        sealed=True,
        weight=4,
    ),
    "typicality": Kind(shipped, ("net/typicality.npz",), typical, sealed=True, weight=2),
    "checkpoint": Kind(run, RUN, resumed, sealed=True, weight=2),
    "diagnostics": Kind(results, FOUND, tables, weight=2),
    "draws": Kind(
        drawn,
        ("cell.nc",),
        draws_of,
        lambda f: [["export", f"{f}/cell.nc", "--to", "brian2", "--n", "3", "--out", f"{f}/out/cells.json"]],
        weight=2,
    ),
    "batch": Kind(batched, ("results", "results/manifest.json", *ROWS), gathered, weight=2),
    "summaries": Kind(
        lambda folder: summarized(folder) and None, ("kept", "kept/manifest.json", *KEPT), summarized, weight=2
    ),
    "neuron of the Allen Institute": Kind(exported, ("n_glif.json",), glif),
}
