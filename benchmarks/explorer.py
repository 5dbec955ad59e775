"""How long the explorer in the browser takes: from the command to the page, to a plot, to a verdict, and to pan.

    python benchmarks/explorer.py ../shared/recordings
    python benchmarks/explorer.py ../shared/recordings --part page plot

In a headless Chromium, as `tests/app/test_browser.py` drives it (`pip install -c constraints.txt '.[browser]'`). Each
thing is done `N_TIMES`, after once that does not count. The best of them is given, in seconds on the clock from a click
and the processor time of server and worker, the least, which other work on the machine hardly changes. Each
part is saved to `benchmarks/results/explorer.json` when it is done.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.app.server import free_port

RESULTS = Path(__file__).parent / "results" / "explorer.json"
COMMAND = "import sys; from leakyflow.cli import main; sys.argv[0] = 'leakyflow'; main()"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
STEPS, LONG, SWEEP = "steps_171116sh_0018.abf", "long.npz", 12
WINDOW = {"start": "1100", "stop": "1900"}
N_TIMES, N_PANS = 2, 6
PEAK, EVERY = 22_000, 4_000  # samples
PATIENCE = 120_000  # ms, for anything that is waited for
PARTS = ("page", "plot", "pan", "inferred", "command")
# The source of the chosen sweep's voltage is the one with the most points that are numbers.
DRAWN = """() => Bokeh.documents.flatMap(one => [...one._all_models.values()]).filter(
    one => one.type == "ColumnDataSource" && typeof one.data.t?.[0] == "number").sort(
    (a, b) => b.data.t.length - a.data.t.length)[0]?.data.t"""
PAN = """([start, end]) => Bokeh.documents.flatMap(one => [...one._all_models.values()]).find(
    one => one.type == "Range1d" && one.end > 2000).setv({start, end})"""


def long_recording(path: Path) -> None:
    """60 s at 20 kHz: a step of 100 pA after 1 s, and a spike of 1 ms every 200 ms."""
    t = np.arange(1_200_000) * 0.05
    on = t >= 1000.0
    V = np.where(on, -65.0 - 10.0 * np.exp(-(t - 1000.0) / 20.0, where=on, out=np.zeros_like(t)), -75.0)
    V += 0.2 * np.random.default_rng(1).standard_normal(len(t))
    for k, rise in enumerate(95.0 * (1.0 - np.abs(np.linspace(-1.0, 1.0, 21)))):
        V[PEAK - 10 + k :: EVERY] += rise
    np.savez(path, V_mV=V.astype(np.float32), I_pA=np.where(on, 100.0, 0.0).astype(np.float32), dt_ms=0.05)


class Server:
    """`leakyflow app` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        port = free_port(None)
        command = [sys.executable, "-c", COMMAND, "app", str(folder), "--port", str(port), "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.address = f"http://localhost:{port}/"

    def cpu_s(self) -> float:
        """Processor time so far, of the server and of its worker."""
        pids = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return sum(_cpu_s(pid) for pid in (str(self.process.pid), *pids.stdout.split()))

    def close(self) -> None:
        """End it."""
        self.process.send_signal(2)
        try:
            self.process.wait(PATIENCE / 1000)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _cpu_s(pid: str) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(server: Server, act: Callable[[], Any], seen: Callable[[], Any]) -> dict[str, float]:
    """From an act until its end is seen."""
    cpu, began = server.cpu_s(), time.perf_counter()
    act()
    seen()
    return {"wall_s": time.perf_counter() - began, "cpu_s": server.cpu_s() - cpu}


def best(runs: list[dict[str, float]]) -> dict[str, float]:
    """The least of each."""
    return {key: min(run[key] for run in runs) for key in runs[0]}


@contextmanager
def page_of(browser: Any, server: Server) -> Iterator[Any]:
    """A page that lists its files."""
    page = browser.new_page(viewport={"width": 1280, "height": 1200})
    page.set_default_timeout(PATIENCE)
    page.goto(server.address)
    page.get_by_label("File", exact=True).locator("option").nth(1).wait_for(state="attached")
    yield page
    page.close()


def started(browser: Any, folder: Path) -> dict[str, float]:
    """From the command to the list of files."""
    began = time.perf_counter()
    server = Server(folder)
    with page_of(browser, server):
        found = {"wall_s": time.perf_counter() - began, "cpu_s": server.cpu_s()}
    server.close()
    return found


def choose(page: Any, name: str) -> None:
    """Choose a file from the list."""
    page.get_by_label("File", exact=True).select_option(name)


def first_plot(browser: Any, server: Server) -> dict[str, float]:
    """From the choice of a file to its first sweep, with its spikes and checks."""
    with page_of(browser, server) as page:
        seen = page.get_by_text(f"{STEPS} sweep 0: ").first.wait_for
        return timed(server, lambda: choose(page, STEPS), seen)


def pans(browser: Any, server: Server) -> dict[str, float]:
    """From a pan to what is drawn of it on the server, at several widths; and whether each peak is there."""
    with page_of(browser, server) as page:
        choose(page, LONG)
        page.get_by_text(f"{LONG}: 60000 ms").first.wait_for()
        peaks = np.arange(PEAK, 1_200_000, EVERY) * 0.05
        seconds, lost = [], 0
        for k in range(N_PANS):
            start, end = 1000.0 * k, 1000.0 * k + (50_000.0, 20_000.0, 5_000.0)[k % 3]
            began = time.perf_counter()
            page.evaluate(PAN, [start, end])
            inside = f"(t) => t && t[0] >= {start} - 1 && t[0] < {start} + 50 && t[t.length - 1] <= {end} + 1"
            page.wait_for_function(f"({inside})(({DRAWN})())", polling=10)
            seconds.append(time.perf_counter() - began)
            within = peaks[(peaks >= start) & (peaks <= end)]
            lost += int((~np.isclose(within[:, None], page.evaluate(f"[...({DRAWN})()]")).any(axis=1)).sum())
    return {"wall_s": min(seconds), "median_s": statistics.median(seconds), "peaks_lost": lost}


def inferred(browser: Any, server: Server) -> dict[str, dict[str, float]]:
    """From the button to the parameters, and to the verdict: of a sweep, and of a cell; the first is not counted."""
    with page_of(browser, server) as page:
        choose(page, STEPS)
        page.get_by_text(f"{STEPS} sweep 0: ").first.wait_for()
        page.locator(".tabulator-row").nth(SWEEP).click()
        page.get_by_text(f"{STEPS} sweep {SWEEP}: ").first.wait_for()
        for label, value in zip(("Start", "End"), WINDOW.values(), strict=True):
            page.get_by_label(f"{label} of the window (ms)").fill(value)
            page.keyboard.press("Enter")
            page.get_by_text(f"{value} to " if label == "Start" else f" to {value} ms").first.wait_for()
        found = {}
        for name, label in (("sweep", "This sweep"), ("cell", "All sweeps, as one cell")):
            page.get_by_label(label).check()
            runs = [verdict(page, server) for _ in range(N_TIMES + 1)][1:]
            found[name] = best(runs)
    return found


def verdict(page: Any, server: Server) -> dict[str, float]:
    """One inference; it has ended where the page says so anew, whatever an earlier one left there."""
    cpu, began = server.cpu_s(), time.perf_counter()
    over = page.get_by_text("The verdict and the posterior are below")
    page.get_by_role("button", name="Infer").click()
    over.wait_for(state="detached")
    page.get_by_text("What this is worth").or_(over).first.wait_for()  # the notice may be gone before it is seen
    table = time.perf_counter() - began
    over.wait_for()
    page.locator("ul[aria-label=Verdict]").wait_for()
    return {"table_s": table, "wall_s": time.perf_counter() - began, "cpu_s": server.cpu_s() - cpu}


def on_the_command_line(file: Path) -> dict[str, float]:
    """The same cell by `leakyflow infer`, from the prompt to its end."""
    window = [word for name, value in WINDOW.items() for word in (f"--{name}", value)]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", COMMAND, "infer", str(file), "--network", "lif", *window]
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"leakyflow infer ended with status {process.returncode}; see above.")
    return {"wall_s": time.perf_counter() - began, "cpu_s": used.ru_utime + used.ru_stime}


def in_a_browser(recordings: Path, part: str) -> dict[str, dict[str, float]]:
    """One part, in a fresh folder and a fresh browser."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copy(recordings / STEPS, folder)
        long_recording(folder / LONG)
        place = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=place, args=FLAGS)
        if part == "page":
            return {part: best([started(browser, folder) for _ in range(N_TIMES + 1)][1:])}
        server = Server(folder)
        try:
            if part == "plot":
                return {part: best([first_plot(browser, server) for _ in range(N_TIMES + 1)][1:])}
            return inferred(browser, server) if part == "inferred" else {part: pans(browser, server)}
        finally:
            server.close()


def measured(recordings: Path, part: str) -> dict[str, dict[str, float]]:
    """One part."""
    if part == "command":
        return {part: best([on_the_command_line(recordings / STEPS) for _ in range(N_TIMES)])}
    return in_a_browser(recordings, part)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, help=f"a folder with {STEPS}")
    parser.add_argument("--part", nargs="*", default=PARTS, choices=PARTS, help="all by default")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in arguments.part:
        found = measured(arguments.recordings.resolve(), part)
        machine = {"n_cpu": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
        for name, row in found.items():
            results[name] = row | machine
            print(name, {key: round(value, 3) for key, value in results[name].items()}, flush=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
