"""The tables of docs/robustness.md, of `benchmarks/results/fuzz.json` and `kills.json`; see `benchmarks/fuzz.py`."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from leakyflow.files import replacing

__all__ = ["fuzz_table", "kills_table", "write_page"]

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "robustness.md"
OUTCOMES = ("refused", "the same", "another")
FAULTS = ("in silence", "exception", "hang", "memory", "crash", "executed", "command")


def fuzz_table(found: dict[str, Any]) -> str:
    """Counts for each kind of input and outcome."""
    head = ["input", "n", *OUTCOMES, *FAULTS]
    rows = [
        [kind, sum(counts.values()), *(counts.get(name, 0) for name in head[2:])]
        for kind, counts in found["kinds"].items()
    ]
    total: Counter = Counter()
    for counts in found["kinds"].values():
        total.update(counts)
    rows.append(["all", found["n"], *(total.get(name, 0) for name in head[2:])])
    return table(head, rows)


def kills_table(found: dict[str, Any]) -> str:
    """Counts for each command and what happened to it."""
    head = ["command", "what happened", "times", "ended well when given again", "same bits", "left over", "torn"]
    rows = []
    for command, kinds in found["commands"].items():
        for kind, counts in kinds.items():
            numbers = [counts[name] for name in ("n", "ended", "same", "left over", "torn")]
            said = f"killed ({counts['by SIGKILL itself']} by SIGKILL itself)" if kind == "kill" else kind
            rows.append([f"`{command}`", said, *numbers])
    return table(head, rows)


def table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * 2 + ["--:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_page() -> None:
    """Put the tables between the marks of the page."""
    text = PAGE.read_text()
    for name, of in (("fuzz", fuzz_table), ("kills", kills_table)):
        path = RESULTS / f"{name}.json"
        if not path.is_file():
            continue
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        after = rest.partition(f"<!-- end of {name} -->")[2]
        text = f"{before}<!-- {name} -->\n{of(json.loads(path.read_text()))}\n<!-- end of {name} -->{after}"
    with replacing(PAGE) as scratch:
        scratch.write_text(text)
