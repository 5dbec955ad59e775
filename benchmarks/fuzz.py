"""Whether damaged input is refused in words, whatever is wrong with it: no traceback, no hang, no number of nowhere.

    python -m benchmarks.fuzz --n 5000           # goes on where it was stopped; other seeds find other faults
    python -m benchmarks.fuzz --table            # write docs/robustness.md anew

Valid inputs of every kind (each format of recordings, configurations, data sets, networks, checkpoints, diagnostics)
are damaged in their bytes or in their structure, and used as the package uses them. A process of its own does it, with
an address space of 6 GiB and 20 s of processor time for each input. A twenty-fifth are also given to the command line,
and a fifth of what is accepted as another answer, for it gets furthest. The outcomes:

refused         LeakyflowError, or an error of the system that names a file
the same        the answer to the undamaged input
another         another answer, of a file that has no checksum by which the damage could have been seen
in silence      another answer, although a checksum or fingerprint shows the damage
exception       of another class: of a library, without a word of ours
hang            20 s
memory          more than 6 GiB
crash           the process died
executed        code in a file was run, a program started or a connection made
command         the command line ended in a traceback, or in an error that was not foreseen

Inputs follow from kind, number and seed alone. Failures are kept in the folder of the work (`--work`), results go to
`benchmarks/results/fuzz.json`.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "fuzz.json"
GIB = 2**30
SECONDS, WALL = 20.0, 900.0  # of processor time; on the clock, which on a busy machine runs ahead
COMMAND = 90.0  # seconds of processor time that commands may take, which also load, compile and draw
ADDRESS_SPACE, RENEWED = 6 * GIB, 4 * GIB  # at which a process is ended, and at which it is begun anew
EVERY, ACCEPTED = 25, 5  # inputs, and those with another answer, of which one is given to the command line
ASIDE = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")
GOOD = ("refused", "the same", "another")
BAD = ("in silence", "exception", "hang", "memory", "crash", "executed", "command")


# --- in the process that uses them


class Executed(BaseException):
    """Something was run that no input may run."""


def forbid() -> dict[str, bool]:
    """Watch for what a file must not cause, while told to."""
    watching = {"on": False}

    def hook(event: str, arguments: tuple) -> None:
        if watching["on"] and event in ASIDE:
            raise Executed(f"{event}: {arguments!r}"[:300])

    sys.addaudithook(hook)
    return watching


def outcome(use: Any, folder: Path) -> tuple[str, str, bytes]:
    """Its class, what was said, and the digest of the answer."""
    from leakyflow.cli.errors import is_ours
    from leakyflow.errors import LeakyflowError

    try:
        return "answer", "", use(folder)
    except LeakyflowError as error:
        return "refused", str(error), b""
    except OSError as error:
        return ("refused" if error.errno is not None or is_ours(error) else "exception"), where(error), b""
    except MemoryError as error:
        return "memory", where(error), b""
    except Executed as error:
        return "executed", where(error), b""
    except Exception as error:
        return "exception", where(error), b""


def where(error: BaseException) -> str:
    """Class, text, and the last line of ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "leakyflow" in frame.filename]
    at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {at}: {str(error).splitlines()[0][:160] if str(error) else ''}"


def on_the_command_line(arguments: list[str]) -> str:
    """What is wrong with how a command ends; nothing where it ends well, or refuses on one screen."""
    from typer.testing import CliRunner

    from leakyflow import cli

    result = CliRunner().invoke(cli.app, arguments)
    said = result.stdout + result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return where(result.exception)
    if "not foreseen" in said or "Traceback" in said or result.exit_code not in (0, 1, 2):
        return f"status {result.exit_code}: " + " ".join(said.split())[-300:]
    return ""


def made(kind: Any, source: Path) -> bytes:
    """Make an undamaged input, once, and what is answered to it."""
    kept = source.with_name(f"{source.name}.right")
    if not kept.is_file():
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        kind.make(source)
        copy = shutil.copytree(source, source.with_name("now"), symlinks=True)
        kept.write_bytes(kind.use(copy))
        shutil.rmtree(copy)
    return kept.read_bytes()


def work(messages: Connection, base: Path, seed: int) -> None:
    """Answer requests for a kind and a number, until this process is ended."""
    import warnings

    warnings.simplefilter("ignore")
    log = os.open(base.parent / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)
    watching = forbid()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    while True:
        messages.send(tried(messages, base, seed, watching))


def tried(messages: Connection, base: Path, seed: int, watching: dict[str, bool]) -> dict[str, Any]:
    """Make an input and use it."""
    from benchmarks.fuzz_inputs import KINDS
    from benchmarks.mutations import mutate

    request = messages.recv()
    name, number = request["kind"], request["number"]
    kind, source, folder = KINDS[name], base / name.replace(" ", "_"), base / "now"
    right = made(kind, source)
    messages.send("begun")
    rng = np.random.default_rng([seed, number, *name.encode()])
    shutil.copytree(source, folder)
    how = mutate(rng, folder, kind.names)
    damaged = shutil.copytree(folder, base / "damaged", symlinks=True)
    watching["on"] = True
    found, said, answer = outcome(kind.use, folder)
    watching["on"] = False
    if found == "answer":
        sealed = kind.sealed and how.startswith("bytes of") and "," not in how
        found = "the same" if answer == right else "in silence" if sealed else "another"
    accepted = found == "another" and number % ACCEPTED == 0
    typed = kind.commands(folder) if found in GOOD and (request["command"] or accepted) else []
    if typed:
        messages.send("commanded")
        for arguments in typed:
            shutil.rmtree(folder)
            shutil.copytree(damaged, folder, symlinks=True)
            if wrong := on_the_command_line(arguments):
                found, said = "command", f"{arguments[0]}: {wrong}"
    if found in BAD:
        keep = base.parent / "failures" / f"{source.name}-{number}"
        shutil.rmtree(keep, ignore_errors=True)
        shutil.copytree(damaged, keep, symlinks=True)
    shutil.rmtree(damaged)
    shutil.rmtree(folder, ignore_errors=True)
    reply = {"kind": name, "number": number, "how": how, "outcome": found, "said": said[:400]}
    return reply | {"command": len(typed)}


# --- in the process that watches


class Worker:
    """The process, begun anew where it died or was stopped."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.context = get_context("forkserver")
        self.context.set_forkserver_preload(["benchmarks.imported"])
        os.environ |= {"LEAKYFLOW_TRACEBACK": "", "JAX_NUM_CPU_DEVICES": "1", "TMPDIR": str(folder)}
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
        os.environ |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05", "MALLOC_ARENA_MAX": "2"}
        self.process: Any = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have an input made and used."""
        if self.process is not None and self._address_space() > RENEWED:
            self.stop()  # what JAX has compiled stays in memory
        if self.process is None:
            self._start()
        self.messages.send(request)
        if not self.messages.poll(600.0) or self.messages.recv() != "begun":
            raise RuntimeError(f"The undamaged input cannot be used: {request}; see {self.folder / 'log'}")
        reply = self._reply(request, SECONDS)
        return self._reply(request, COMMAND) if reply == "commanded" else reply

    def _reply(self, request: dict[str, Any], allowed: float) -> Any:
        spent, began = self._processor_time(), time.monotonic()
        while not self.messages.poll(1.0):
            if self._processor_time() - spent > allowed or time.monotonic() - began > WALL:
                return self._lost(request, "hang", f"{time.monotonic() - began:.0f} s")
        try:
            reply = self.messages.recv()
        except EOFError:
            self.process.join()
            return self._lost(request, "crash", f"status {self.process.exitcode}")
        spent = round(self._processor_time() - spent, 2)
        return reply if reply == "commanded" else reply | {"seconds": spent}

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None

    def _start(self) -> None:
        for name in ("now", "damaged"):
            shutil.rmtree(self.folder / "base" / name, ignore_errors=True)
        self.messages, theirs = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(theirs, self.folder / "base", self.seed), daemon=True)
        self.process.start()
        theirs.close()

    def _address_space(self) -> int:
        try:
            return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        except OSError:
            return 0

    def _processor_time(self) -> float:
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _lost(self, request: dict[str, Any], found: str, said: str) -> dict[str, Any]:
        self.stop()
        damaged = self.folder / "base" / "damaged"
        if damaged.is_dir():
            to = self.folder / "failures" / f"{request['kind'].replace(' ', '_')}-{request['number']}"
            shutil.copytree(damaged, to, symlinks=True, dirs_exist_ok=True)
        return request | {"how": "?", "outcome": found, "said": said}


def share(kinds: list[str], n: int) -> list[tuple[str, int]]:
    """Kinds in turn, so that any number of inputs covers all; each is numbered by itself."""
    counts: Counter = Counter()
    pairs = []
    for kind in islice(cycle(kinds), n):
        pairs.append((kind, counts[kind]))
        counts[kind] += 1
    return pairs


def summary(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    kinds: dict[str, Counter] = {}
    for row in rows:
        kinds.setdefault(row["kind"], Counter())[row["outcome"]] += 1
    faults = [row for row in rows if row["outcome"] in BAD]
    return {
        "seed": seed,
        "n": len(rows),
        "n_command": sum(row.get("command", False) for row in rows),
        "kinds": {kind: dict(found) for kind, found in kinds.items()},
        "faults": [{key: row[key] for key in ("kind", "number", "how", "outcome", "said")} for row in faults],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="only kinds whose name begins so")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "leakyflow-fuzz")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="write the tables of docs/robustness.md and end")
    given = parser.parse_args()
    if given.table:
        from benchmarks.robustness import write_page

        return write_page()
    from benchmarks.fuzz_inputs import KINDS

    folder = given.work / f"seed{given.seed}"
    for name in ("base", "failures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    kinds = [name for name, kind in KINDS.items() for _ in range(kind.weight) if name.startswith(given.kind or "")]
    kept = folder / "results.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    done = {(row["kind"], row["number"]) for row in rows}
    worker = Worker(folder, given.seed)
    for i, (kind, number) in enumerate(share(kinds, given.n)):
        if (kind, number) in done:
            continue
        row = worker.ask({"kind": kind, "number": number, "command": number % EVERY == 0})
        rows.append(row)
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if row["outcome"] in BAD:
            print(f"{i}: {kind} {number} ({row['how']}): {row['outcome']}: {row['said']}", flush=True)
    worker.stop()
    wanted = set(share(kinds, given.n))
    found = summary([row for row in rows if (row["kind"], row["number"]) in wanted], given.seed)
    if given.kind is None:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(dict(Counter(row["outcome"] for row in rows))))
    if found["faults"]:
        print(f"What did it lies in {folder / 'failures'}.")
    sys.exit(bool(found["faults"]))


if __name__ == "__main__":
    main()
