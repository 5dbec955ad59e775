"""One table and one page of a batch, from its shards."""

from pathlib import Path
from typing import Any

import pandas as pd

from leakyflow.batches.index import page
from leakyflow.batches.manifest import Manifest
from leakyflow.batches.rows import read_rows
from leakyflow.batches.shard import is_done, place
from leakyflow.files import replacing

__all__ = ["CSV", "INDEX", "PARQUET", "collect", "rows_of"]

PARQUET, CSV, INDEX = "cells.parquet", "cells.csv", "index.html"


def collect(out: Path) -> pd.DataFrame:
    """Gather the rows of all shards that are done, and write them as Parquet, CSV and a page.

    Returns:
        One row for each file; `draws` and `picture` are paths below `out`.
    """
    manifest = Manifest.load(out)
    rows = [row for index in range(len(manifest.shards)) if is_done(out, index) for row in rows_of(out, index)]
    table = pd.DataFrame(rows).convert_dtypes()
    with replacing(out / PARQUET) as scratch:
        table.to_parquet(scratch, index=False)
    with replacing(out / CSV) as scratch:
        table.to_csv(scratch, index=False)
    with replacing(out / INDEX) as scratch:
        scratch.write_text(page(table, manifest), encoding="utf-8")
    return table


def rows_of(out: Path, index: int) -> list[dict[str, Any]]:
    """Rows of a shard that is done, with paths below the folder of the batch."""
    folder = place(out, index)
    rows = read_rows(folder)
    below = folder.relative_to(out).as_posix()
    return [row | {name: f"{below}/{row[name]}" for name in ("draws", "picture") if name in row} for row in rows]
