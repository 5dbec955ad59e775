"""The explorer end to end, in a real Chromium that has no network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakyflow.app.server import free_port

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
COMMAND = "import sys; from leakyflow.cli import main; sys.argv[0] = 'leakyflow'; main()"
SOON, LATER = 60_000, 300_000  # ms
REAL = "steps_171116sh_0018.abf"
# Curves behind the chosen sweep: one source holds as many for the voltage, another for the current.
BEHIND = """() => Math.max(0, ...Bokeh.documents.flatMap(one => [...one._all_models.values()]).filter(
    one => one.type == "ColumnDataSource" && typeof one.data.t?.[0] == "object").map(one => one.data.t.length))"""
SIZES = [(theme, width) for theme in ("default", "dark") for width in (1280, 800)]


def needed(found: object, what: str) -> None:
    """Skip where something is not on the machine; in CI, fail."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `leakyflow app FOLDER` serves; it is alive in the end, and leaves no upload behind."""
    port, temporary = free_port(None), tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-c", COMMAND, "app", str(folder), "--port", str(port), "--no-browser"]
    environment = os.environ | {"TMPDIR": str(temporary), "COLUMNS": "200"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        assert f"http://localhost:{port}/" in said, said + server.stdout.read()
        yield f"http://localhost:{port}/"
        assert server.poll() is None
        server.send_signal(2)
        server.wait(60)
    assert not list(temporary.glob("leakyflow-app-*"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    place = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    needed(place, "Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        needed(False, "playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """Open the page; whatever it asks of another machine, and every error in it, fails the test."""
    contexts, wrong = [], []

    def open_page(theme: str = "default", width: int = 1280) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 1200})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SOON)
        local = (address, address.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(local) or wrong.append(f"asked for {request.url}"))
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.goto(f"{address}?theme={theme}")
        page.get_by_label("File", exact=True).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def choose(page: Any, name: str) -> None:
    page.get_by_label("File", exact=True).select_option(name)


def drop(page: Any, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def fill(page: Any, label: str, value: str) -> None:
    page.get_by_label(label).fill(value)
    page.keyboard.press("Enter")


def shot(page: Any, name: str) -> None:
    """A picture for the site, where SCREENSHOTS names a folder."""
    page.wait_for_timeout(1000)
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"explorer_{name}.png")


def infer(page: Any) -> Any:
    page.get_by_label("Network").select_option("standard")
    page.get_by_role("button", name="Infer").click()
    page.locator("ul[aria-label=Verdict]").wait_for(timeout=LATER)
    return page.locator("table[aria-label=Posterior]")


def named(page: Any, text: str) -> None:
    page.get_by_text(text).first.wait_for()


def test_a_dropped_file_is_seen_inferred_and_exported(visit, folder, tmp_path):
    page = visit()
    shutil.copy(folder / "spiking.npz", tmp_path / "dropped.npz")
    drop(page, tmp_path / "dropped.npz")
    named(page, "300 ms, ")
    assert page.get_by_label("File", exact=True).locator("option").all_inner_texts().count("dropped.npz") == 1
    table = infer(page).inner_text()
    assert all(name in table for name in ("tau", "V_rest", "C", "V_th", "log-normal", "mV"))
    assert "Does it predict?" in page.locator("ul[aria-label=Verdict]").inner_text()
    page.locator(".bk-tab", has_text="Export").click()
    page.locator("pre[aria-label=Command]").get_by_text("leakyflow infer dropped.npz").wait_for()
    page.get_by_label("What").select_option("Draws (CSV)")
    page.get_by_role("button", name="Write").click()
    with page.expect_download(timeout=LATER) as download:
        page.get_by_text("Download dropped_sweep0.csv").click(timeout=LATER)
    download.value.save_as(tmp_path / "draws.csv")
    assert (tmp_path / "draws.csv").read_text().startswith("draw,tau,V_rest,C,V_th")


def test_a_window_acts_at_once(visit):
    page = visit()
    choose(page, "quiet.csv")
    named(page, "quiet.csv: 400 ms, 0 spikes.")
    fill(page, "End of the window (ms)", "200")
    named(page, "0 to 200 ms: 200 ms, 0 spikes.")
    page.locator("input[type=checkbox]").last.check()  # lays sweeps over each other
    fill(page, "End of the window (ms)", "50")
    named(page, "A recording must last at least 100 ms")


def test_a_broken_file_is_said_and_the_page_goes_on(visit, folder, tmp_path):
    page = visit()
    (tmp_path / "damaged.abf").write_bytes(b"ABF2 and nothing that follows")
    drop(page, tmp_path / "damaged.abf")
    page.get_by_role("alert").get_by_text("damaged.abf").first.wait_for()
    choose(page, "quiet.csv")
    named(page, "quiet.csv: 400 ms, 0 spikes.")


def test_two_browsers_do_not_see_each_other(visit, folder, tmp_path):
    one, other = visit(), visit()
    shutil.copy(folder / "quiet.csv", tmp_path / "private.csv")
    drop(one, tmp_path / "private.csv")
    named(one, "private.csv: 400 ms, 0 spikes.")
    fill(one, "End of the window (ms)", "200")
    named(one, "0 to 200 ms")
    choose(other, "quiet.csv")
    named(other, "quiet.csv: 400 ms, 0 spikes.")
    assert "private.csv" not in other.content() + other.get_by_label("File", exact=True).inner_text()


def test_another_theme_goes_on_where_the_page_was(visit, folder, tmp_path):
    page = visit()
    shutil.copy(folder / "spiking.npz", tmp_path / "dropped.npz")
    drop(page, tmp_path / "dropped.npz")
    named(page, "300 ms, ")
    fill(page, "End of the window (ms)", "280")
    named(page, "0 to 280 ms")
    infer(page)
    page.get_by_role("button", name="Infer").click()
    page.get_by_role("link", name="Dark").click()
    page.get_by_role("link", name="Light").wait_for()
    page.locator("ul[aria-label=Verdict]").wait_for()
    named(page, "0 to 280 ms")
    assert page.get_by_label("End of the window (ms)").input_value() == "280"
    assert page.get_by_label("Network").input_value() == "standard"
    page.get_by_role("button", name="Infer").and_(page.locator("button:enabled")).wait_for(timeout=LATER)
    page.get_by_role("link", name="Light").click()
    page.get_by_role("link", name="Dark").wait_for()
    named(page, "0 to 280 ms")
    assert "dropped.npz" in page.get_by_label("File", exact=True).inner_text()


def test_an_inference_is_cancelled_and_the_page_lives_meanwhile(visit):
    page = visit()
    choose(page, "spiking.npz")
    named(page, "300 ms, ")
    page.get_by_label("Network").select_option("lstm")
    page.get_by_role("button", name="Infer").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("status").get_by_text("Cancelled.").wait_for()
    choose(page, "quiet.csv")
    named(page, "quiet.csv: 400 ms, 0 spikes.")


def test_a_prediction_is_drawn_as_wide_as_the_page(visit):
    page = visit()
    choose(page, "spiking.npz")
    named(page, "300 ms, ")
    infer(page)
    page.locator(".bk-tab", has_text="Prediction").click()
    named(page, "explained variance of V")
    page.wait_for_timeout(2000)
    widths = [box["width"] for box in (f.bounding_box() for f in page.locator(".bk-Figure").all()) if box]
    assert len(widths) == 5  # the traces above, and V, spikes and I of the prediction
    assert min(widths) > 800


def test_what_if_follows_its_sliders(visit):
    page = visit()
    choose(page, "spiking.npz")
    named(page, "300 ms, ")
    infer(page)
    page.locator(".bk-tab", has_text="What if").click()
    named(page, "(root mean square)")
    page.locator(".bk-tab", has_text="Another stimulus").click()
    page.get_by_role("button", name="Simulate").click()
    named(page, "of the neurons of this posterior")


def test_sweeps_are_laid_over_each_other_on_demand(visit, real_recordings):
    page = visit()
    drop(page, real_recordings / REAL)
    named(page, f"{REAL} sweep 0: ")
    assert page.evaluate(BEHIND) == 0
    page.locator("input[type=checkbox]").last.check()
    page.wait_for_function(f"({BEHIND})() == 16")  # of 17, behind the one that is chosen


def test_a_pair_plot_is_dark_on_a_dark_page(visit):
    page = visit("dark")
    choose(page, "spiking.npz")
    named(page, "300 ms, ")
    infer(page)
    page.locator(".bk-tab", has_text="Pairs").click()
    page.locator("img[alt='Pair plot']").wait_for(timeout=LATER)
    shot(page, "pairs_dark")
    assert "invert" in page.locator("img[alt='Pair plot']").evaluate("image => getComputedStyle(image).filter")


@pytest.mark.parametrize(("theme", "width"), SIZES)
def test_a_newcomer_gets_from_an_abf_file_to_a_verdict_at_any_size(visit, real_recordings, theme, width):
    page = visit(theme, width)
    drop(page, real_recordings / REAL)
    named(page, f"{REAL} sweep 0: ")
    page.locator(".tabulator-row", has_text="-100 to 150").first.click()
    fill(page, "Start of the window (ms)", "1100")
    fill(page, "End of the window (ms)", "1900")
    named(page, "1100 to 1900 ms: 800 ms, 3 spikes.")
    page.get_by_role("button", name="Infer").click()
    page.locator("ul[aria-label=Verdict]").wait_for(timeout=LATER)
    assert "On the whole?" in page.locator("ul[aria-label=Verdict]").inner_text()
    shot(page, f"{theme}_{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing is cut off
