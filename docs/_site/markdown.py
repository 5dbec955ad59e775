"""Tables as Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["table"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what would end a cell is escaped.

    Example:
        >>> print(table(["name", "unit"], [["tau", "ms"]]))
        | name | unit |
        | --- | --- |
        | tau | ms |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
