"""Nobody forgets to raise the revision of a formula: what each gave in its revision is kept in `revisions.json`.

Where a formula was meant to change, raise its number in `leakyflow/revision.py`, run `python -m tests.test_revision`,
and look at what changes in the file: nothing but the formulas that were meant to.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from leakyflow.likelihood import regression_mode
from leakyflow.revision import REVISIONS, STORED, outdated, revisions
from tests.probes import PROBES

KEPT = Path(__file__).with_name("revisions.json")


def found(name: str) -> list[float]:
    """Six digits of everything: more than single precision keeps on the way."""
    values = np.concatenate([np.ravel(np.asarray(part, np.float64)) for part in PROBES[name]()])
    assert np.isfinite(values).all()
    return [float(f"{value:.6g}") for value in values]


def agree(values: list[float], kept: list[float]) -> bool:
    """To what single precision and another machine's rounding leave of sums over a recording."""
    return len(values) == len(kept) and np.allclose(values, kept, rtol=1e-3, atol=1e-4)


def test_every_formula_has_a_probe_and_is_stored_with_something():
    assert set(PROBES) == set(REVISIONS) == set(json.loads(KEPT.read_text()))
    assert {name for names in STORED.values() for name in names} == set(REVISIONS)


@pytest.mark.parametrize("name", REVISIONS)
def test_a_formula_gives_what_it_gave_in_its_revision(name):
    kept = json.loads(KEPT.read_text())[name]
    assert kept["revision"] == REVISIONS[name], "python -m tests.test_revision writes down what the new revision gives"
    assert agree(found(name), kept["values"]), f"`{name}` gives other numbers: raise its revision"


def test_a_formula_that_changes_by_a_percent_would_be_seen(monkeypatch):
    kept = json.loads(KEPT.read_text())["coordinates"]["values"]
    monkeypatch.setattr(regression_mode, "LEAST_PRECISION", 2.0)
    regression_mode._laplace_solver.cache_clear()
    try:
        assert not agree(found("coordinates"), kept)
    finally:
        regression_mode._laplace_solver.cache_clear()
    assert not agree([1.01 * value for value in kept], kept)


def test_what_differs_is_named():
    now = revisions("typicality")
    assert outdated("typicality", now) == ""
    assert (
        outdated("typicality", now | {"checks": 7, "of nothing": 3})
        == f"checks (revision 7, here {REVISIONS['checks']})"
    )
    assert outdated("dataset", None).count("revision unknown") == 3
    for stranger in ([], "neuron", 3):
        assert outdated("dataset", stranger) == outdated("dataset", None)


if __name__ == "__main__":
    table = {name: {"revision": number, "values": found(name)} for name, number in REVISIONS.items()}
    KEPT.write_text(json.dumps(table) + "\n")
