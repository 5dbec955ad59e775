"""Whether a command that was killed, interrupted or left without room goes on to the same bits and leaves nothing.

    python -m benchmarks.kills --n 200     # goes on where it was stopped; all commands in turn
    python -m benchmarks.kills --every --command infer
    python -m benchmarks.fuzz --table      # write docs/robustness.md anew

Each command of `COMMANDS` runs in a process of its own with small settings. An audit hook counts the file operations
below its folder; at one drawn at random it ends the process by SIGKILL, every other time after tearing the file written
last in half. On its way the state of the folder is also copied at two earlier operations, which is what SIGKILL would
have left there: the process that wrote it is dead when the copy is used. From each of these states the same command (or
the one to resume) is given again, every fourth time to be killed once more. Then every file must have the content that
it has after a run without interruption, with nothing beside them. Before that, each file that has its name must be
whole: that of the result before, or of the new one.

Then the conditions of `CONDITIONS`: interruption by Ctrl-C, a full disk, a read-only folder, one that vanishes, two
processes on one output, no home, no cache that can be written, a locale of plain C, odd names. Each must end well, or
on one screen with a status of its own, and leave a state from which the command goes on to the same bits.

Results go to `benchmarks/results/kills.json`; what is there of commands that are not run stays.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RESULTS = Path(__file__).parent / "results" / "kills.json"
SERVER = get_context("forkserver")
CHUNK = 64  # recordings of a block, so that a small data set has several
N_SIMULATIONS, N_PREDICTIVE = 800, 20
DIAGNOSED = ("convergence", "amortized", "predictive", "typicality")
COPIES = 2  # of the folder, on the way to a kill
AGAIN = 4  # states of which one is killed once more
BLAMING = "batch"  # takes a file at which it was killed twice for one that kills it, and says so in its row


class Command(NamedTuple):
    """A command of the program, and what is of it."""

    arguments: list[str]
    out: str  # file or folder that it writes
    needs: tuple[str, ...] = ()  # inputs
    resume: list[str] | None = None  # given once the first file of the other name is there
    begun: str = ""
    before: list[str] | None = None  # leaves an older result in the same place
    says: str = ""  # where nothing happens to it, for errors in a table have the same bits, too


CONFIG, DATA, NET, FOUND, CELL, CELLS, DRAWS = "mine.toml", "data.zarr", "net", "found", "cell.npz", "cells", "cell.nc"
TOML = """base = "quick"
name = "mine"
[training]
n_simulations = 200
epochs = 4
batch_size = 64
[simulator]
duration = [100.0, 150.0]
"""
INFER = ["infer", CELL, "--draws", "100", "--out", "posteriors", "--report"]
REPORT = ["report", NET, "--diagnostics", FOUND, "--out", "pages"]
BATCH = ["batch", CELLS, "--draws", "100", "--shard-size", "2"]
EXPORT = ["export", DRAWS, "--to", "brian2", "--n", "3", "--out", "exported/cells.json"]
COMMANDS = {
    "simulate": Command(["simulate", "--config", CONFIG, "--n", "200", "--out", "new.zarr"], "new.zarr", (CONFIG,)),
    "train": Command(
        ["train", "--config", CONFIG, "--dataset", DATA, "--out", "run"],
        "run",
        (CONFIG, DATA),
        resume=["train", "--resume", "--dataset", DATA, "--out", "run"],
        begun="run/config.toml",
    ),
    "diagnose": Command(["diagnose", NET, "--n", "100", "--out", "new"], "new", (NET,)),
    "infer": Command(INFER, "posteriors", (CELL,), before=[*INFER, "--seed", "1"]),
    "report": Command(REPORT, "pages", (NET, FOUND), before=REPORT),
    "batch": Command([*BATCH, "--out", "results"], "results", (CELLS,), says="3 ok"),
    "summarize": Command(
        ["summarize", "--config", CONFIG, "--n", "150", "--shard-size", "50", "--out", "shards"], "shards", (CONFIG,)
    ),
    "export": Command(EXPORT, "exported", (DRAWS,), before=[*EXPORT, "--seed", "1"]),
}


# --- in the process that is killed


def make_small() -> None:
    """Settings with which everything takes seconds."""
    from leakyflow.batches import batch, summaries
    from leakyflow.diagnostics import parts, suite, typicality
    from leakyflow.simulator import dataset

    batch.make_shards = summaries.make_shards = make_here
    dataset.CHUNK, typicality.N_SIMULATIONS, parts.N_PREDICTIVE = CHUNK, N_SIMULATIONS, N_PREDICTIVE
    suite.PARTS = tuple(part for part in suite.PARTS if part.name in DIAGNOSED)


def make_here(
    make: Callable[[Path, int], int], out: Path, missing: list[int], *, done: Callable[[int], None], **_: Any
) -> None:
    """Make shards in this process, where the hook is, and not by workers of Dask."""
    for index in missing:
        done(make(out, index))


class Hook:
    """Counts file operations below the working directory, and does something at one of them.

    Args:
        action: What is done at which operation, and where copies of the state go.
    """

    def __init__(self, action: dict[str, Any]) -> None:
        self.action, self.n, self.last, self.busy = action, 0, None, False
        self.folder = os.path.realpath(".")

    def __call__(self, event: str, arguments: tuple) -> None:
        """For `sys.addaudithook`."""
        if self.busy or not self._counts(event, arguments):
            return
        self.busy = True
        try:
            self._at(self.n)
        finally:
            self.n, self.busy = self.n + 1, False
        if event == "open":
            self.last = os.path.realpath(os.fsdecode(arguments[0]))

    def _counts(self, event: str, arguments: tuple) -> bool:
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
            return False
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if isinstance(path, int) or not (writes or (isinstance(mode, str) and set(mode) & set("wax+"))):
                return False
        with suppress(TypeError, ValueError):
            return os.path.realpath(os.fsdecode(arguments[0])).startswith(self.folder + os.sep)
        return False

    def _at(self, n: int) -> None:
        if str(n) in self.action.get("copies", {}):
            copy = Path(self.action["copies"][str(n)])
            shutil.copytree(self.folder, copy, symlinks=True)
            if self.action["torn"] and self.last:
                tear(copy / os.path.relpath(self.last, self.folder))
        if n != self.action.get("at"):
            return
        match self.action["do"]:
            case "kill":
                if self.action["torn"] and self.last:
                    tear(Path(self.last))
                os.kill(os.getpid(), signal.SIGKILL)
            case "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            case "vanish":
                shutil.rmtree(self.action["folder"], ignore_errors=True)


def tear(path: Path) -> None:
    """Leave half of a file."""
    with suppress(OSError):
        os.truncate(path, path.stat().st_size // 2)


def child(action: dict[str, Any], arguments: list[str]) -> None:
    """Run a command under the hook; the number of operations goes to a file."""
    make_small()
    hook = Hook(action)
    if "largest" in action:
        resource.setrlimit(resource.RLIMIT_FSIZE, (action["largest"], action["largest"]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.argv = ["leakyflow", *arguments]
    sys.addaudithook(hook)
    from leakyflow.cli import main

    try:
        main()
    finally:
        hook.busy = True
        if "count" in action:
            Path(action["count"]).write_text(str(hook.n))


class Ended(NamedTuple):
    """What came of a process."""

    status: int
    said: str

    @property
    def well(self) -> bool:
        """Whether it did its work; Python ends by 1, too, where it shows a traceback."""
        return self.status in (0, 1) and "Traceback" not in self.said


def start(folder: Path, arguments: list[str], action: dict[str, Any]) -> Callable[[], Ended]:
    """Run it in a process that is forked from one that has everything imported; gives what waits for its end."""
    said = Path(tempfile.mkstemp(prefix="leakyflow-kills-")[1])
    process = SERVER.Process(target=forked, args=(folder, arguments, action, said))
    process.start()

    def wait() -> Ended:
        process.join()
        text = said.read_text(errors="replace")
        said.unlink()
        assert process.exitcode is not None
        return Ended(process.exitcode, text)

    return wait


def forked(folder: Path, arguments: list[str], action: dict[str, Any], said: Path) -> None:
    """In the process that is forked."""
    os.chdir(folder)
    with said.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    child(action, arguments)


def start_anew(folder: Path, arguments: list[str], **environment: str | None) -> Callable[[], Ended]:
    """Run it in a process of another environment."""
    command = [sys.executable, "-m", "benchmarks.kills", "--child", "{}", "--", *arguments]
    variables = {key: value for key, value in (os.environ | environment).items() if value is not None}
    process = subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def wait() -> Ended:
        said = process.communicate()[1]
        return Ended(process.returncode, said)

    return wait


# --- what is compared


def content(path: Path) -> bytes:
    """What must be the same of a file: all but when it was written and how long that took."""
    data = path.read_bytes()
    match path.suffix:
        case ".csv" if path.name == "history.csv":
            rows = list(csv.DictReader(io.StringIO(data.decode())))
            return repr([{key: value for key, value in row.items() if key != "seconds"} for row in rows]).encode()
        case ".npz":
            arrays = dict(np.load(io.BytesIO(data)))
            if "history" in arrays:
                arrays["history"] = arrays["history"][:, :-1]
            return b"".join(name.encode() + array.tobytes() for name, array in sorted(arrays.items()))
        case ".nc":
            import h5py

            with h5py.File(io.BytesIO(data)) as file:
                found: list[bytes] = []
                file.visititems(lambda name, one: found.append(name.encode() + _numbers(one)))
                return b"".join(found)
        case ".html":
            return re.sub(rb"built on [\d-]+", b"", data)
        case ".pdf":
            return b"%PDF whole" if data.startswith(b"%PDF") and b"%%EOF" in data[-64:] else data
    return data


def _numbers(one: Any) -> bytes:
    import h5py

    attributes = {key: value for key, value in one.attrs.items() if key not in ("created_at", "REFERENCE_LIST")}
    attributes = {key: str(value) for key, value in attributes.items() if not key.startswith(("_Netcdf", "DIMENSION"))}
    values = np.asarray(one[()]) if isinstance(one, h5py.Dataset) else np.empty(0)
    numbers = repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes()
    return numbers + repr(sorted(attributes.items())).encode()


def state(folder: Path, out: str) -> dict[str, str]:
    """A digest of every file of the result; empty where there is none."""
    found = {}
    for path in sorted((folder / out).rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder / out))] = digest(path)
    return found


def digest(path: Path) -> str:
    """Of what must be the same."""
    try:
        return hashlib.sha256(content(path)).hexdigest()[:16]
    except Exception:  # torn: readers raise anything
        return "unreadable"


def leftovers(folder: Path) -> list[str]:
    """Scratch files anywhere below, whose writers are dead."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".new.") or path.suffix == ".partial"
    )


def torn(folder: Path, out: str, whole: list[dict[str, str]]) -> list[str]:
    """Files of the result that are neither those of before nor the new ones."""
    names = {name for one in whole for name in one}
    broken = []
    for name in names:
        path = folder / out / name
        if path.is_file() and digest(path) not in [one.get(name) for one in whole]:
            broken.append(name)
    return sorted(broken)


# --- the work


class Place:
    """Folders of the work.

    Args:
        folder: Of all of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.inputs, self.now = folder, folder / "inputs", folder / "now"
        self.states = folder / "states"
        self.states.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the inputs of all commands, once."""
        if self.inputs.is_dir():
            return
        from dataclasses import replace

        from tests.report.diagnosed import diagnose

        from leakyflow.recordings.files.saved import save_recording
        from leakyflow.simulator.dataset import make_dataset
        from leakyflow.training.config import load_config
        from leakyflow.training.fit import train

        shutil.rmtree(new := self.folder / "inputs.new", ignore_errors=True)
        new.mkdir()
        (new / CONFIG).write_text(TOML)
        config = load_config(new / CONFIG)
        dataset = make_dataset(config, 200, seed=config.training.seed, out=new / DATA)
        train(config, dataset, out=new / NET)
        diagnose(new / NET, new / FOUND)
        quick = load_config("quick")
        for folder, dt in ((new, 0.5), (new / "finer", 0.2)):  # of the default network, and of `standard`
            simulator = replace(quick.simulator, dt=dt, duration=(300.0, 300.0))
            recordings = make_dataset(replace(quick, simulator=simulator), 8, seed=3).recordings()
            folder.mkdir(exist_ok=True)
            save_recording(recordings[5], folder / CELL)
            (folder / CELLS).mkdir()
            for i in range(3):
                save_recording(recordings[i], folder / CELLS / f"{i}.npz")
        (new / CELLS / "bad.csv").write_text("nothing")
        draws = ["infer", f"finer/{CELL}", "--network", "standard", "--draws", "100", "--out", "."]
        assert run_here(new, draws) in (0, 1)
        new.rename(self.inputs)

    def fresh(self, command: Command) -> Path:
        """The folder as a command finds it, with an older result where it has one."""
        shutil.rmtree(self.now, ignore_errors=True)
        self.now.mkdir()
        for name in command.needs:
            source = self.inputs / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, self.now / name)
        if command.before:
            older = self.folder / f"older-{command.out}"
            if not older.is_dir():
                assert run_here(self.now, command.before) == 0
                shutil.copytree(self.now / command.out, older)
            shutil.copytree(older, self.now / command.out, dirs_exist_ok=True)
        return self.now

    def from_state(self, source: Path) -> Path:
        """A state that a killed process left, in the very place that it was left in."""
        shutil.rmtree(self.now, ignore_errors=True)
        shutil.copytree(source, self.now, symlinks=True)
        return self.now


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run_here(folder: Path, arguments: list[str]) -> int:
    """A command in this process, which has compiled what it needs; its status."""
    from typer.testing import CliRunner

    from leakyflow import cli

    with inside(folder):
        result = CliRunner().invoke(cli.app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 1):
        print(result.stdout[-500:], result.stderr[-1500:], file=sys.stderr)
    return result.exit_code


def again(folder: Path, command: Command) -> list[str]:
    """What is typed to go on."""
    begun = command.resume is not None and (folder / command.begun).is_file()
    return command.resume if begun and command.resume else command.arguments


class Trial(NamedTuple):
    """One state that a process left, and what became of it."""

    command: str
    how: str
    ended: bool = True  # the command given again ended well
    same: bool = True
    left_over: list[str] = []  # noqa: RUF012
    torn: list[str] = []  # noqa: RUF012
    differing: list[str] = []  # noqa: RUF012


def judged(place: Place, name: str, how: str, reference: dict[str, str], older: dict[str, str]) -> Trial:
    """Give the command again to the state in its place, and compare."""
    command = COMMANDS[name]
    broken = torn(place.now, command.out, [reference, older]) if command.before else []
    status = run_here(place.now, again(place.now, command))
    found = state(place.now, command.out)
    differing = differences(found, reference)
    return Trial(name, how, status in (0, 1), not differing, leftovers(place.now), broken, differing)


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Files that are not what they should be."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def reference_of(place: Place, name: str) -> tuple[dict[str, str], dict[str, str], int]:
    """The result without interruption, that of before, and the number of file operations on the way."""
    command, kept = COMMANDS[name], place.folder / f"reference-{name}.json"
    if not kept.is_file():
        folder = place.fresh(command)
        older = state(folder, command.out)
        ended = start(folder, command.arguments, {"count": str(place.folder / "count")})()
        assert ended.well, ended
        assert command.says in ended.said, ended
        found = state(folder, command.out)
        place.fresh(command)
        assert run_here(place.now, command.arguments) in (0, 1)
        unlike = differences(found, state(place.now, command.out))
        assert not unlike, f"{name} does not give the same bits twice: {unlike}"
        kept.write_text(json.dumps([found, older, int((place.folder / "count").read_text())]))
    found, older, n = json.loads(kept.read_text())
    return found, older, n


def killed(place: Place, name: str, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """Kill a command at a random operation; gives the state that it left, and those on its way."""
    command = COMMANDS[name]
    _, _, n = reference_of(place, name)
    waiting = sorted(place.states.glob(f"{name}-again-*"))
    if waiting:
        place.from_state(waiting[0])
        shutil.rmtree(waiting[0])
    else:
        place.fresh(command)
    at = sorted(int(i) for i in rng.choice(n, size=min(n, COPIES + 1), replace=False))
    is_torn = bool(rng.integers(2))
    copies = {str(i): str(place.states / f"{name}-{i}") for i in at[:-1]}
    for path in copies.values():
        shutil.rmtree(path, ignore_errors=True)
    action = {"do": "kill", "at": at[-1], "torn": is_torn, "copies": copies}
    ended = start(place.now, again(place.now, command), action)()
    how = "torn, then SIGKILL" if is_torn else "SIGKILL"
    if ended.status == -signal.SIGKILL:
        yield f"{how} at operation {at[-1]} of {n}", place.now
    else:
        assert ended.well, ended  # fewer operations were left than drawn
    for i, path in copies.items():
        if Path(path).is_dir():
            yield f"{how}: the state at operation {i} of {n}", Path(path)


def every(place: Place, name: str, *, is_torn: bool) -> Iterator[tuple[str, Path]]:
    """What SIGKILL at each operation of one run would have left."""
    command = COMMANDS[name]
    _, _, n = reference_of(place, name)
    place.fresh(command)
    copies = {str(i): str(place.states / f"{name}-every-{i}") for i in range(n)}
    for path in copies.values():
        shutil.rmtree(path, ignore_errors=True)
    ended = start(place.now, command.arguments, {"do": "nothing", "torn": is_torn, "copies": copies})()
    assert ended.well, ended
    for i, path in copies.items():
        yield f"{'torn, ' if is_torn else ''}every one: the state at operation {i} of {n}", Path(path)


# --- conditions

NOWHERE = "/proc/nowhere"


def is_out(word: str, command: Command) -> bool:
    """Whether an argument names the result, or a file in it."""
    return word == command.out or word.startswith(command.out + "/")


def settings_of(name: str) -> dict[str, str | None]:
    """Variables of the environment."""
    return {
        "no home": {"HOME": None, "XDG_CACHE_HOME": None, "JAX_COMPILATION_CACHE_DIR": None},
        "no cache": {
            "HOME": NOWHERE,
            "XDG_CACHE_HOME": NOWHERE,
            "JAX_COMPILATION_CACHE_DIR": None,
            "MPLCONFIGDIR": None,
        },
        "LANG=C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    }.get(name, {})


def in_environment(place: Place, name: str, condition: str, rng: np.random.Generator) -> Trial:
    """The command must do all that it does elsewhere."""
    command = COMMANDS[name]
    reference, _, _ = reference_of(place, name)
    ended = start_anew(place.fresh(command), command.arguments, **settings_of(condition))()
    how = condition if ended.well else f"{condition}: status {ended.status}: {ended.said[-300:]}"
    differing = differences(state(place.now, command.out), reference)
    return Trial(name, how, ended.well, not differing, leftovers(place.now), differing=differing)


def stopped(place: Place, name: str, condition: str, rng: np.random.Generator) -> Trial:
    """Ctrl-C, no room for files of this size, or a folder that is taken away, at a random operation."""
    command = COMMANDS[name]
    reference, older, n = reference_of(place, name)
    place.fresh(command)
    at = int(rng.integers(n))
    action = {
        "interrupt": {"do": "interrupt", "at": at},
        "full disk": {"largest": int(2 ** rng.uniform(0, 17))},
        "vanishing folder": {"do": "vanish", "at": at, "folder": command.out},
    }[condition]
    ended = start(place.now, command.arguments, action)()
    if "Traceback" in ended.said or ended.status not in (0, 1, 2, 130):
        return Trial(name, f"{condition} {action}: status {ended.status}: {ended.said[-600:]}", ended=False)
    return judged(place, name, f"{condition} {action}", reference, older)


def read_only(place: Place, name: str, condition: str, rng: np.random.Generator) -> Trial:
    """A folder of a file system that cannot be written: refused on one screen, before anything is computed or after."""
    command = COMMANDS[name]
    folder = place.fresh(command)
    arguments = [
        NOWHERE + word.removeprefix(command.out) if is_out(word, command) else word for word in command.arguments
    ]
    ended = start(folder, arguments, {})()
    well = ended.status == 2 and "Traceback" not in ended.said
    how = condition if well else f"{condition}: status {ended.status}: {ended.said[-600:]}"
    return Trial(name, how, well, left_over=leftovers(folder))


def two_at_once(place: Place, name: str, condition: str, rng: np.random.Generator) -> Trial:
    """Both must end, and the result be that of one; what is refused is refused on one screen."""
    command = COMMANDS[name]
    reference, older, _ = reference_of(place, name)
    folder = place.fresh(command)
    ended = [wait() for wait in [start(folder, command.arguments, {}) for _ in range(2)]]
    statuses, said = sorted(one.status for one in ended), [one.said for one in ended]
    if any("Traceback" in text for text in said) or statuses[0] not in (0, 1) or statuses[1] not in (0, 1, 2):
        return Trial(name, f"{condition}: {statuses} {[text[-300:] for text in said]}", ended=False)
    return judged(place, name, condition, reference, older)


NAMES = ("a b", "ü ñ 漢", 'it\'s "quoted"', "[bold]", "a:b;c&d", "-dash", "new\nline", "%s {0}", "." + "x" * 200)


def odd_names(place: Place, name: str, condition: str, rng: np.random.Generator) -> Trial:
    """The result in a folder of an odd name is the same."""
    command = COMMANDS[name]
    odd = NAMES[int(rng.integers(len(NAMES)))]
    reference, _, _ = reference_of(place, name)
    folder = place.fresh(command)
    if command.before:
        shutil.rmtree(folder / command.out)
    arguments = [
        f"./{odd}{word.removeprefix(command.out)}" if is_out(word, command) else word for word in command.arguments
    ]
    ended = start(folder, arguments, {})()
    found = state(folder, odd)
    naming = {key for key in found.keys() & reference if key.endswith((".html", ".json"))}  # the folder
    unlike = [key for key in differences(found, reference) if key not in naming]
    return Trial(name, f"{condition}: {odd!r}", ended.well, not unlike, leftovers(folder), differing=unlike)


Condition = Callable[[Place, str, str, np.random.Generator], Trial]
CONDITIONS: dict[str, Condition] = {
    "interrupt": stopped,
    "full disk": stopped,
    "vanishing folder": stopped,
    "read-only folder": read_only,
    "two processes": two_at_once,
    "no home": in_environment,
    "no cache": in_environment,
    "LANG=C": in_environment,
    "odd names": odd_names,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="states after a kill")
    parser.add_argument("--conditions", type=int, default=2, help="times that each condition is met by each command")
    parser.add_argument("--every", action="store_true", help="states at each operation, whole and torn, in place of n")
    parser.add_argument("--command", choices=list(COMMANDS), action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "leakyflow-kills")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    make_small()
    root = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(given.work / "compiled"))
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
    os.environ["COLUMNS"] = "120"
    SERVER.set_forkserver_preload(["benchmarks.imported"])
    place, kept = Place(given.work.resolve()), given.work / "results.jsonl"
    place.prepare()
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    names = given.command or list(COMMANDS)
    rng = np.random.default_rng([given.seed, len(rows)])

    def add(kind: str, trial: Trial) -> None:
        rows.append({"kind": kind, **trial._asdict()})
        with kept.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        if not (trial.ended and trial.same) or trial.left_over or trial.torn:
            print(kind, trial, flush=True)

    for name in names if given.every else ():
        reference, older, _ = reference_of(place, name)
        for is_torn in (False, True):
            for how, path in every(place, name, is_torn=is_torn):
                place.from_state(path)
                shutil.rmtree(path)
                add("kill", judged(place, name, how, reference, older))
    while not given.every and sum(row["kind"] == "kill" for row in rows) < given.n:
        counts = {name: sum(row["kind"] == "kill" and row["command"] == name for row in rows) for name in names}
        name = min(counts, key=lambda name: counts[name])
        reference, older, _ = reference_of(place, name)
        left = [
            (how, shutil.move(path, place.states / f"{name}-left-{i}"))
            for i, (how, path) in enumerate(killed(place, name, rng))
        ]
        for i, (how, path) in enumerate(left):
            if rng.integers(AGAIN) == 0 and name != BLAMING:
                shutil.copytree(
                    path, place.states / f"{name}-again-{counts[name]}-{i}", symlinks=True, dirs_exist_ok=True
                )
            place.from_state(Path(path))
            shutil.rmtree(path)
            add("kill", judged(place, name, how, reference, older))
    for condition, meet in CONDITIONS.items():
        for name in names:
            met = sum(row["kind"] == condition and row["command"] == name for row in rows)
            for _ in range(given.conditions - met):
                add(condition, meet(place, name, condition, rng))
    found = summary(rows, given.seed)
    print(json.dumps(found["commands"], indent=1))
    before = json.loads(given.out.read_text()) if given.out.is_file() else None
    given.out.write_text(json.dumps(merged(before, found) if before else found, indent=1) + "\n")
    sys.exit(bool(found["faults"]))


def merged(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What was found, and before of commands that were not run now."""
    commands, seeds = before["commands"] | found["commands"], before["seeds"] | found["seeds"]
    faults = [row for row in before["faults"] if row["command"] not in found["commands"]] + found["faults"]
    n = sum(counts["n"] for kinds in commands.values() for counts in kinds.values())
    order = [name for name in COMMANDS if name in commands]
    return {
        "n": n,
        "seeds": {name: seeds[name] for name in order},
        "commands": {name: commands[name] for name in order},
        "faults": faults,
    }


def summary(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Counts for each command and kind, and what went wrong."""
    bad = [row for row in rows if not (row["ended"] and row["same"]) or row["left_over"] or row["torn"]]
    commands: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        found = commands.setdefault(row["command"], {}).setdefault(
            row["kind"], {"n": 0, "by SIGKILL itself": 0, "ended": 0, "same": 0, "left over": 0, "torn": 0}
        )
        found["n"] += 1
        found["by SIGKILL itself"] += row["kind"] == "kill" and "the state" not in row["how"]
        found["ended"] += row["ended"]
        found["same"] += row["same"]
        found["left over"] += bool(row["left_over"])
        found["torn"] += bool(row["torn"])
    return {"n": len(rows), "seeds": dict.fromkeys(commands, seed), "commands": commands, "faults": bad}


if __name__ == "__main__":
    if "--child" in sys.argv[1:2]:
        child(json.loads(sys.argv[2]), sys.argv[4:])
    else:
        main()
