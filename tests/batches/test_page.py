import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from leakyflow.batches.index import page
from leakyflow.batches.manifest import Entry, Manifest
from leakyflow.batches.picture import picture
from leakyflow.batches.settings import Settings
from leakyflow.recordings.cell import Cell
from tests.cases import stimulated


@pytest.fixture
def manifest():
    return Manifest(
        folder="cells",
        network="lif",
        network_hash="0",
        settings=Settings(),
        files=(Entry(path="a<b.abf", fingerprint="0"), Entry(path="c.abf", fingerprint="1")),
        shard_size=16,
        versions={"leakyflow": "0.1.0"},
        revisions={},
    )


def table(**changes) -> pd.DataFrame:
    good = {"file": "a<b.abf", "status": "ok", "error": "", "n_sweeps": 1, "n_spikes": 5, "p_typical": 0.02}
    good |= {"kind": "adequate", "eps_V": 0.91, "spikes_missed": 0.125, "coverage": 0.9}
    good |= {"verdict": 'Does it predict? "Yes."', "k_hat": 0.4, "tau_mean": 17.0, "tau_sd": 1.0}
    good |= {"draws": "shards/00000/a.nc", "picture": "shards/00000/a.svg"}
    bad = {"file": "c.abf", "status": "failed", "error": "It is <empty>."}
    return pd.DataFrame([good | changes, bad]).convert_dtypes()


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self.rows = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]
        self.rows += tag == "tr"


def test_a_page_shows_each_cell_with_its_picture_and_opens_without_a_network(manifest):
    text = page(table(), manifest)
    found = Links(text)
    assert found.found == ["shards/00000/a.svg", "shards/00000/a.nc"]
    assert found.rows == 3
    assert "2 of 2 cells" in text
    assert "1 ok, 1 failed" in text
    assert '<td title="Does it predict? &quot;Yes.&quot;">adequate</td><td data-value="0.91">0.91</td>' in text
    assert "17 <small>± 1</small>" in text
    assert "{{" not in text
    assert "http" not in text


def test_names_and_errors_are_text(manifest):
    text = page(table(), manifest)
    assert "a&lt;b.abf" in text
    assert "It is &lt;empty&gt;." in text


def test_a_number_that_is_not_known_is_an_empty_cell(manifest):
    assert '<td data-value=""></td>' in page(table(k_hat=np.nan), manifest)


def test_a_picture_holds_every_peak_in_a_few_points():
    sweep = stimulated(250.0, t_max=2000.0)
    text = picture(Cell([sweep, sweep]))
    lines = re.findall(r'points="([^"]+)"', text)
    assert len(lines) == 4
    y = np.array([[float(x) for x in point.split(",")] for point in lines[0].split()])[:, 1]
    assert (y.min(), y.max()) == (2.0, 58.0)  # the highest and the lowest voltage, over the whole height
    assert len(text) < 20_000
