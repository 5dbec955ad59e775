"""How much code there is: modules, lines, the median module, the mean function, and lines by package.

Example:
    $ python benchmarks/lines.py
    $ python benchmarks/lines.py OTHER_CHECKOUT/src/leakyflow
"""

import ast
import statistics
import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/leakyflow"


def main() -> None:
    """Count one package."""
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE
    texts = {path.relative_to(package): path.read_text() for path in sorted(package.rglob("*.py"))}
    lines = {path: len(text.splitlines()) for path, text in texts.items()}
    nodes = (node for text in texts.values() for node in ast.walk(ast.parse(text)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    mean = statistics.mean((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)
    median = statistics.median(lines.values())
    print(f"{sum(lines.values())} lines in {len(lines)} modules, of {median:g} in the median;")
    print(f"{len(functions)} functions of {mean:.1f} lines in the mean, with their docstrings.")
    by_package = Counter[str]()
    for path, n in lines.items():
        by_package[path.parts[0] if len(path.parts) > 1 else "beside them"] += n
    for name, n in by_package.most_common():
        print(f"{n:6} {name}")


if __name__ == "__main__":
    main()
