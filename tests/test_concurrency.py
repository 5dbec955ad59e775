"""Draws by several threads and processes, in a cold cache too, are those of one; nothing grows."""

import gc
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import leakyflow as lf
from tests.recordings.synthetic import write

CODE = """
import hashlib, json, sys
import leakyflow as lf
posterior = lf.load_posterior(sys.argv[1])
recording = lf.read_recording(sys.argv[2])
print(hashlib.sha256(posterior.sample(recording, n_draws=50, seed=3).array.tobytes()).hexdigest())
"""
GROWTH = 30 * 2**20  # bytes over 900 reads and draws; a recording that was kept each time would be 50 MB
N = 1000


@pytest.fixture(scope="module")
def recordings(tiny_dataset):
    return list(tiny_dataset.recordings(slice(4)))


@pytest.fixture(scope="module")
def file(recordings, tmp_path_factory) -> Path:
    return lf.save_recording(recordings[0], tmp_path_factory.mktemp("cell") / "cell.npz")


def draws(posterior, recording, seed=3, correct="auto"):
    return posterior.sample(recording, n_draws=50, seed=seed, correct=correct).array


@pytest.mark.parametrize(("correct", "n"), [(False, 4), ("auto", 2)])
def test_threads_draw_what_one_draws(tiny_run, recordings, correct, n):
    posterior = lf.load_posterior(tiny_run.folder)  # nothing of it is compiled yet
    jobs = [(recording, seed, correct) for recording in recordings[:n] for seed in range(n)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: draws(posterior, *job), jobs))
    for one, job in zip(found, jobs, strict=True):
        np.testing.assert_array_equal(one, draws(posterior, *job))


def started(tiny_run, file, cache: Path) -> subprocess.Popen:
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", CODE, str(tiny_run.folder), str(file)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def complaints(said: str) -> list[str]:
    """What was said but by XLA's alarm, which goes off where a busy machine takes minutes to compile."""
    alarm = re.compile(r"^\S+ \S+ +\d+ slow_operation_alarm\.cc:\d+\].*|^\*+$|^\[Compiling module .*|^$")
    return [line for line in said.splitlines() if not alarm.match(line)]


def test_a_slow_compilation_is_no_complaint_and_a_warning_is_one():
    alarm = (
        "E1127 11:59:48.124927   12655 slow_operation_alarm.cc:73] \n***\n[Compiling module jit_f for CPU] Slow?\n***\n"
    )
    assert complaints(alarm) == []
    assert complaints(alarm + "UserWarning: Error reading persistent compilation cache entry") != []


@pytest.mark.slow
def test_processes_that_fill_one_cold_cache_at_once_draw_the_same(tiny_run, file, tmp_path):
    processes = [started(tiny_run, file, tmp_path / "cache") for _ in range(4)]
    ended = [(*process.communicate(), process.returncode) for process in processes]
    assert [(complaints(said), status) for _, said, status in ended] == [([], 0)] * 4
    assert len({out for out, _, _ in ended}) == 1
    assert started(tiny_run, file, tmp_path / "cache").communicate()[0] == ended[0][0]  # from what they left there


def in_process(folder, path, results):
    """Of a process begun by spawn or fork, which loads its own network."""
    posterior = lf.load_posterior(folder)
    results.put(draws(posterior, lf.read_recording(path)).tolist())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_begun_in_any_way_draw_the_same(tiny_run, file, method, tmp_path):
    """Forked before JAX runs anything: its threads do not survive a fork, which it says itself."""
    code = f"""
import json, multiprocessing, sys
from pathlib import Path
from tests.test_concurrency import in_process
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    results = context.Queue()
    workers = [context.Process(target=in_process, args=(Path(sys.argv[1]), sys.argv[2], results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    print(json.dumps([results.get(timeout=300) for _ in workers]))
    for worker in workers:
        worker.join()
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(
        [sys.executable, script, tiny_run.folder, file], env=environment, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    first, second = json.loads(ended.stdout.splitlines()[-1])
    assert first == second


def used() -> tuple[int, int]:
    """Bytes in memory, and open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize(), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells it so")
def test_a_thousand_reads_and_draws_take_no_more_memory_or_files_than_a_hundred(tiny_run, file, tmp_path):
    posterior = lf.load_posterior(tiny_run.folder)
    files = [file, *(write(kind, tmp_path) for kind in ("abf", "nwb"))]
    for i in range(N):
        draws(posterior, lf.read_recording(files[i % 3], stop=300.0, dt=posterior.dt), seed=i, correct=False)
        if i == N // 10:
            memory, n_open = used()
    after, still_open = used()
    assert still_open <= n_open
    assert after - memory < GROWTH


def test_growth_would_be_seen():
    memory, files = used()
    kept = np.ones(GROWTH // 4)
    with Path(__file__).open():
        after, open_files = used()
    assert after - memory > GROWTH
    assert open_files > files
    assert kept.size


def test_multiprocessing_knows_the_ways_that_are_tried():
    assert {"spawn", "fork", "forkserver"} <= set(multiprocessing.get_all_start_methods())
