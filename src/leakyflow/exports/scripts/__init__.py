"""Scripts that are written beside the data: each reads the JSON file of its name, and runs on its own."""

from pathlib import Path

__all__ = ["script"]


def script(name: str) -> str:
    """Text of the script of a target."""
    return (Path(__file__).parent / f"run_{name}.py").read_text(encoding="utf-8")
