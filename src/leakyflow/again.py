"""A command to type again, with its options."""

import shlex

__all__ = ["again"]


def again(command: str, *arguments: object, **options: object) -> str:
    """A command to type, quoted for the shell; options that are None or False are left out, those of a list repeated.

    Example:
        >>> again("infer", "my cell.abf", sweep=3, t_ref=2.5, report=True)
        "leakyflow infer 'my cell.abf' --sweep 3 --t-ref 2.5 --report"
    """
    words = ["leakyflow", command, *map(str, arguments)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one is not False:
                words.append("--" + name.replace("_", "-"))
                words += [] if one is True else [f"{one:.15g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)
