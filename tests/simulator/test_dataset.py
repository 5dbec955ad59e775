import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from leakyflow import files
from leakyflow.errors import LeakyflowError
from leakyflow.revision import REVISIONS
from leakyflow.simulator import dataset as module
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.dataset import Dataset, make_dataset, open_dataset
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from leakyflow.simulator.stimulus_prior import OrnsteinUhlenbeckPrior, SquarePrior
from leakyflow.simulator.store import Header, create
from tests.fresh import run_python
from tests.room import little_room

NAMES = ("V", "I", "spikes", "refractory", "n_samples", "stimulus", "parameters")
ENTRIES = {
    "tau": LogNormal(median=17.0, sigma=0.5),
    "V_rest": Normal(mean=-72.0, sd=6.0),
    "C": LogNormal(median=90.0, sigma=0.5),
    "V_th": Normal(mean=-45.0, sd=6.0),
    "threshold_noise": 1.0,
    "membrane_noise": 0.3,
    "measurement_noise": 0.1,
    "V_reset": -60.0,
    "reset_noise": 5.0,
    "t_ref": ReadOff(Uniform(low=2.0, high=6.0)),
}
STIMULI = (
    SquarePrior(amplitude=Uniform(low=100.0, high=300.0)),
    OrnsteinUhlenbeckPrior(sd=Uniform(low=50.0, high=100.0), mean=100.0, correlation_time=5.0, weight=2.0),
)


def config(**change) -> SimpleNamespace:
    arguments = {"dt": 0.5, "duration": (100.0, 150.0), "prior": Prior(ENTRIES), "stimuli": STIMULI}
    return SimpleNamespace(simulator=SimulatorConfig(**{**arguments, **change}))


CONFIG = config()
N = 40


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 16)


def arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    return {name: np.asarray(dataset.group[name][:]) for name in NAMES}


def assert_same(one: Dataset, other: Dataset) -> None:
    there = arrays(other)
    for name, values in arrays(one).items():
        np.testing.assert_array_equal(values, there[name], err_msg=name)


@contextmanager
def failing_after(n: int, error: BaseException) -> Iterator[None]:
    """The chunk after the first n is torn: half of it is written when the error comes."""
    write, calls = module._write_chunk, []

    def fail(arrays, chunk, rows, simulated):
        if len(calls) == n:
            arrays["V"][rows] = 1.0
            raise error
        calls.append(rows)
        write(arrays, chunk, rows, simulated)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_write_chunk", fail)
        yield


def test_disk_holds_the_same_bits_as_memory(tmp_path):
    in_memory = make_dataset(CONFIG, N, seed=3)
    assert_same(in_memory, make_dataset(CONFIG, N, seed=3, out=tmp_path / "data"))
    assert_same(in_memory, open_dataset(tmp_path / "data"))
    assert open_dataset(tmp_path / "data").config == CONFIG.simulator


@pytest.mark.parametrize("chunk", [1, 7, 40, 64])
def test_chunk_size_does_not_matter(chunk, monkeypatch):
    reference = make_dataset(CONFIG, N, seed=3)
    monkeypatch.setattr(module, "CHUNK", chunk)
    assert_same(reference, make_dataset(CONFIG, N, seed=3))


def test_a_longer_dataset_begins_with_the_shorter_one():
    short, long = arrays(make_dataset(CONFIG, 10, seed=3)), arrays(make_dataset(CONFIG, N, seed=3))
    for name, values in short.items():
        np.testing.assert_array_equal(values, long[name][:10], err_msg=name)


def test_another_seed_is_another_dataset():
    here, there = (arrays(make_dataset(CONFIG, N, seed=seed)) for seed in (3, 4))
    for name in ("V", "I", "n_samples", "stimulus"):
        assert np.any(here[name] != there[name]), name
    assert np.all(here["parameters"][:, 0] != there["parameters"][:, 0])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "Input/output error"), MemoryError()])
@pytest.mark.parametrize("n_finished", [0, 1, 2])
def test_interrupted_dataset_resumes_to_the_same_bits(tmp_path, error, n_finished):
    with failing_after(n_finished, error), pytest.raises(type(error)):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    with pytest.raises(ValueError, match=f"unfinished: {3 - n_finished} of 3 chunks .* again with the same"):
        open_dataset(tmp_path / "data")
    resumed = make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    assert_same(make_dataset(CONFIG, N, seed=3), resumed)


def test_finished_chunks_are_not_simulated_again(tmp_path):
    with failing_after(2, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    with failing_after(1, AssertionError("a second chunk was simulated")):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    with failing_after(0, AssertionError("a finished dataset was simulated again")):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")


def test_killed_dataset_resumes_to_the_same_bits(tmp_path):
    """SIGKILL while the second chunk is simulated, and the first perhaps still written, from another process."""
    script = textwrap.dedent(
        """
        import os, signal, sys
        sys.path.insert(0, sys.argv[1])
        from tests.simulator import test_dataset as here
        here.module.CHUNK = 16
        from leakyflow.simulator import rows
        simulate, calls = rows.simulate_traces, []
        def kill(*args, **kwargs):
            calls.append(1)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return simulate(*args, **kwargs)
        rows.simulate_traces = kill
        here.make_dataset(here.CONFIG, here.N, seed=3, out=sys.argv[2])
        """
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script, str(root), str(tmp_path / "data")], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"unfinished: [23] of 3"):
        open_dataset(tmp_path / "data")
    assert_same(make_dataset(CONFIG, N, seed=3), make_dataset(CONFIG, N, seed=3, out=tmp_path / "data"))


def test_refused_write_is_one_clear_error_and_leaves_a_dataset_that_resumes(tmp_path):
    with (
        little_room(6000),
        pytest.raises(OSError, match=r"File too large, while writing .*data.* make room"),
    ):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    with pytest.raises(ValueError, match="unfinished"):
        open_dataset(tmp_path / "data")
    assert_same(make_dataset(CONFIG, N, seed=3), make_dataset(CONFIG, N, seed=3, out=tmp_path / "data"))


def test_refused_header_leaves_nothing(tmp_path):
    with little_room(100), pytest.raises(OSError, match="while writing"):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_beside_it_are_left_alone(tmp_path):
    """Version 0.1.0 deleted what was called like the dataset, with `.new` behind it."""
    for name in ("data.new", f".new.{files.HOST}.1.0.other", ".new.data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").write_text("two years of work")
    make_dataset(CONFIG, 2, seed=3, out=tmp_path / "data")
    assert sorted(path.name for path in tmp_path.glob("*/thesis.tex")) == 3 * ["thesis.tex"]


def dead_process() -> int:
    """Number of a process that has ended."""
    return int(run_python("import os; print(os.getpid())").stdout)


def test_what_a_killed_process_left_is_swept(tmp_path):
    (tmp_path / f".new.{files.HOST}.{dead_process()}.7.data").mkdir()
    with failing_after(1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    torn = tmp_path / "data" / "V" / "c" / "1" / "0.0123456789abcdef.partial"
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(b"half a block")
    make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    assert not torn.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_a_living_process_is_writing_is_not_swept(tmp_path):
    with failing_after(1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    half = tmp_path / "data" / "V" / "0.0123456789abcdef.partial"
    half.write_bytes(b"half a block")
    mark = tmp_path / f".new.{files.HOST}.{os.getppid()}.0.data"
    mark.touch()
    make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    assert half.exists()
    assert mark.exists()


# --- damaged


def everything(path: Path) -> None:
    dataset = open_dataset(path)
    dataset.recordings(), dataset.parameters(), dataset.stimulus()


def block(path: Path, name: str) -> Path:
    """The file of the first chunk of an array."""
    return next(file for file in sorted((path / name / "c").rglob("*")) if file.is_file())


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """One bit, in the middle, where the block decodes all the same."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", ["V", "I", "spikes", "refractory", "n_samples", "stimulus", "parameters", "done"])
@pytest.mark.parametrize("damage", [truncated, flipped, lambda content: b"", lambda content: b"no block at all"])
def test_a_damaged_block_is_refused_by_name(finished, tmp_path, name, damage):
    path = shutil.copytree(finished, tmp_path / "data")
    file = block(path, name)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(LeakyflowError, match=f"{path}: `{name}`.*cannot be read.*Delete the folder and simulate again"):
        everything(path)


@pytest.mark.parametrize("name", ["V", "I", "spikes", "refractory", "n_samples", "stimulus", "parameters"])
def test_a_lost_block_is_not_taken_for_zeros(finished, tmp_path, name):
    path = shutil.copytree(finished, tmp_path / "data")
    block(path, name).unlink()
    for use in (open_dataset, lambda path: make_dataset(CONFIG, N, seed=3, out=path)):
        with pytest.raises(LeakyflowError, match=f"`{name}` lacks 1 of its 3 files"):
            use(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("datasets") / "finished"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "CHUNK", 16)
        make_dataset(CONFIG, N, seed=3, out=path)
    everything(path)
    return path


FORMS = {
    "no recordings": {"shape": [0, 300]},
    "two PiB": {"shape": [2**40, 300]},
    "more axes": {"shape": [40, 300, 2]},
    "fewer axes": {"shape": [40]},
    "negative": {"shape": [-40, 300]},
    "text for numbers": {"shape": ["many", 300]},
    "other chunks": {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [7, 300]}}},
    "no chunks": {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 300]}}},
    "huge chunks": {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**40, 2**20]}}},
    "another type": {"data_type": "float64"},
    "no type": {"data_type": "elephant"},
    "no codec": {"codecs": [{"name": "elephant"}]},
    "no array": {"node_type": "group"},
}


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS.keys())
def test_an_array_of_another_form_is_refused_on_opening(finished, tmp_path, change):
    path = shutil.copytree(finished, tmp_path / "data")
    form = path / "V" / "zarr.json"
    form.write_text(json.dumps(json.loads(form.read_text()) | change))
    for use in (open_dataset, lambda path: make_dataset(CONFIG, N, seed=3, out=path)):
        with pytest.raises(LeakyflowError, match=f"{path}.*(`V`|not a leakyflow dataset)"):
            use(path)


HEADERS = {
    "n is text": {"n": "40"},
    "n is 0": {"n": 0},
    "n is absurd": {"n": 2**60},
    "seed is negative": {"seed": -1},
    "seed is a list": {"seed": [3]},
    "no simulator": {"simulator": None},
    "chunk is absurd": {"chunk": 2**50},
    "revisions are a list": {"revisions": [1]},
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_of_another_form_is_refused(finished, tmp_path, change):
    path = shutil.copytree(finished, tmp_path / "data")
    form = json.loads((path / "zarr.json").read_text())
    form["attributes"] |= change
    (path / "zarr.json").write_text(json.dumps(form))
    with pytest.raises(LeakyflowError, match=f"{path} (is not a leakyflow dataset|was simulated by other formulas)"):
        open_dataset(path)


def test_a_header_that_was_changed_is_refused(finished, tmp_path):
    """Otherwise recordings would be taken for those of another seed or prior."""
    path = shutil.copytree(finished, tmp_path / "data")
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace('"median": 17.0', '"median": 18.0'))
    with pytest.raises(LeakyflowError, match="its header is not as it was written"):
        open_dataset(path)
    form = json.loads(text)
    del form["attributes"]["digest"]  # of datasets from before there was one
    (path / "zarr.json").write_text(json.dumps(form))
    assert open_dataset(path).seed == 3


@pytest.mark.parametrize("content", ["", "[" * 100_000, "{}", "[]", "\ud800", "1"])
def test_a_header_that_is_none_is_refused(finished, tmp_path, content):
    path = shutil.copytree(finished, tmp_path / "data")
    (path / "zarr.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(LeakyflowError, match="is not a leakyflow dataset"):
        open_dataset(path)


def test_simulations_by_other_formulas_are_neither_read_nor_continued(finished, tmp_path, monkeypatch):
    path = shutil.copytree(finished, tmp_path / "data")
    monkeypatch.setitem(REVISIONS, "neuron", 99)
    for use in (open_dataset, lambda path: make_dataset(CONFIG, N, seed=3, out=path)):
        with pytest.raises(LeakyflowError, match=r"other formulas.*neuron \(revision 1, here 99\).*simulate again"):
            use(path)
    monkeypatch.undo()
    monkeypatch.setitem(REVISIONS, "checks", REVISIONS["checks"] + 1)  # of which simulations do not depend
    everything(path)


def test_a_block_of_recordings_that_cannot_be_held_is_refused_before_any_is_made(tmp_path):
    with pytest.raises(LeakyflowError, match=r"must need at most 2,147,483,648 bytes, got .*Shorten `duration`"):
        create(
            tmp_path / "data",
            Header(simulator=config(dt=0.001, duration=(100.0, 500.0)).simulator, seed=1, n=2000, chunk=2000),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("other", "n", "seed", "match"),
    [
        (config(dt=0.25), N, 3, "another prior or stimuli. Choose another folder"),
        (config(prior=Prior({**ENTRIES, "V_reset": -61.0})), N, 3, "another prior or stimuli"),
        (config(stimuli=STIMULI[:1]), N, 3, "another prior or stimuli"),
        (CONFIG, N + 1, 3, "another n"),
        (CONFIG, N, 4, "another seed"),
        (config(dt=0.25), N, 4, "another prior or stimuli and seed"),
    ],
)
def test_another_dataset_is_never_continued(tmp_path, other, n, seed, match):
    with failing_after(1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        make_dataset(CONFIG, N, seed=3, out=tmp_path / "data")
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=match):
        make_dataset(other, n, seed=seed, out=tmp_path / "data")
    assert before == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}


def nothing(path: Path) -> None:
    path.mkdir()


def text_file(path: Path) -> None:
    path.write_text("tau, C\n")


def other_files(path: Path) -> None:
    path.mkdir()
    (path / "cell.abf").write_bytes(b"ABF2")


def other_zarr(path: Path) -> None:
    zarr.create_group(store=str(path)).attrs.update({"made_by": "someone else"})


def one_array(path: Path) -> None:
    zarr.create_array(store=str(path), shape=(3,), dtype="float32")


def torn_header(path: Path) -> None:
    make_dataset(CONFIG, 2, seed=1, out=path)
    (path / "zarr.json").write_text((path / "zarr.json").read_text()[:100])


def later_format(path: Path) -> None:
    make_dataset(CONFIG, 2, seed=1, out=path)
    zarr.open_group(str(path), mode="r+").attrs["format"] = 99


def lost_array(path: Path) -> None:
    make_dataset(CONFIG, 2, seed=1, out=path)
    shutil.rmtree(path / "done")


STRANGERS = [nothing, text_file, other_files, other_zarr, one_array, torn_header, later_format, lost_array]


@pytest.mark.parametrize("make", STRANGERS, ids=[make.__name__ for make in STRANGERS])
def test_something_else_is_refused_and_left_alone(tmp_path, make):
    path = tmp_path / "data"
    make(path)
    before = sorted(file for file in path.rglob("*")) if path.is_dir() else path.read_bytes()
    with pytest.raises(ValueError, match=r"is not a leakyflow dataset of this version\. Choose another folder"):
        make_dataset(CONFIG, 2, seed=1, out=path)
    with pytest.raises(ValueError, match="is not a leakyflow dataset"):
        open_dataset(path)
    assert before == (sorted(file for file in path.rglob("*")) if path.is_dir() else path.read_bytes())


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: make_dataset(CONFIG, 0, seed=1), ValueError, "`n` must be positive, got 0"),
        (
            lambda: make_dataset(CONFIG, 1, seed=-1),
            ValueError,
            "`seed` must lie between 0 and 2.63 - 1, got -1",
        ),
        (
            lambda: make_dataset(config(prior=Prior({**ENTRIES, "tau": Uniform(low=0.0, high=1.0)})), 9, seed=1),
            ValueError,
            r"`tau` must be longer than dt=0\.5 ms, got .* of 9 neurons.* or the prior that drew it",
        ),
        (lambda: open_dataset("/nowhere/data"), FileNotFoundError, "No dataset at /nowhere/data. Make one"),
    ],
)
def test_each_error_says_what_to_do(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_padding_is_zero_and_recordings_are_preprocessed():
    dataset = make_dataset(CONFIG, N, seed=3)
    recordings = dataset.recordings()
    lengths = recordings.n_samples
    assert lengths.min() >= 200
    assert lengths.max() <= 300 == recordings.V.shape[1]
    assert len(np.unique(lengths)) > 10
    padding = np.arange(300) >= lengths[:, None]
    for name in ("V", "I", "spikes", "refractory"):
        assert not np.any(getattr(recordings, name)[padding]), name
    assert np.all(recordings.V[~padding] != 0)
    assert [recording.n_samples for recording in recordings] == lengths.tolist()  # each is checked on the way
    assert recordings.spikes.sum() > N


def test_parts_are_slices_of_the_whole():
    dataset = make_dataset(CONFIG, N, seed=3)
    whole = dataset.recordings()
    for rows in (slice(5), slice(10, 30), slice(None, None, 3), slice(-2, None)):
        part = dataset.recordings(rows)
        np.testing.assert_array_equal(part.V, whole.V[rows])
        assert part.names == whole.names[rows]
        np.testing.assert_array_equal(dataset.parameters(rows).C, dataset.parameters().C[rows])
    chunks = list(dataset.chunks(15))
    assert [rows for rows, _ in chunks] == [slice(0, 15), slice(15, 30), slice(30, 40)]
    np.testing.assert_array_equal(np.concatenate([part.V for _, part in chunks]), whole.V)


def test_parameters_are_those_of_the_prior():
    drawn, known = make_dataset(CONFIG, N, seed=3).parameters(), CONFIG.simulator.prior.sample(N, seed=3)
    for name in drawn:
        np.testing.assert_array_equal(getattr(drawn, name), getattr(known, name))


def test_header_is_plain_json_that_gives_the_configuration_back(tmp_path):
    make_dataset(CONFIG, 2, seed=2**62 + 1, out=tmp_path / "data")
    header = json.loads((tmp_path / "data" / "zarr.json").read_text())["attributes"]
    assert header["simulator"] == CONFIG.simulator.to_dict()
    assert header["seed"] == 2**62 + 1


def test_memory_is_that_of_a_chunk_not_of_the_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 64)
    peaks = []
    make_dataset(CONFIG, 64, seed=1, out=tmp_path / "warm-up")
    for n in (128, 1024):
        tracemalloc.start()
        make_dataset(CONFIG, n, seed=1, out=tmp_path / str(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    whole = 1024 * 300 * 10  # bytes of the traces
    assert peaks[1] - peaks[0] < 0.2 * whole


def test_progress_is_silent_unless_asked_for(capsys):
    make_dataset(CONFIG, N, seed=3)
    assert capsys.readouterr() == ("", "")
