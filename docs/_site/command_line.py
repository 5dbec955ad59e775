"""The page of commands, from what the command line itself knows of them."""

import re
from typing import Any

from typer.main import get_command

from _site.markdown import table
from leakyflow.cli.commands import app

__all__ = ["command_line"]


def command_line() -> str:
    """Each command with its arguments, options, defaults and examples."""
    group: Any = get_command(app)
    with group.context_class(group, info_name="leakyflow") as above:
        return "\n\n".join(_command(name, command, above) for name, command in group.commands.items())


def _command(name: str, command: Any, above: Any) -> str:
    with command.context_class(command, info_name=name, parent=above) as context:
        records = [parameter.get_help_record(context) for parameter in command.params]
        rows = [_row(*record) for record in records if record is not None]
    parts = [f"## leakyflow {name}", _plain(command.help or "")]
    if examples := [line.strip() for line in _plain(command.epilog or "").splitlines()[1:] if line.strip()]:
        parts.append("\n".join(["```bash", *examples, "```"]))
    if rows:
        parts.append(table(["argument or option", "default", "meaning"], rows))
    return "\n\n".join(parts)


def _row(names: str, text: str) -> list[str]:
    """Of one that the command's help shows as `--n <int range>` and `How many.  [default: 1000; x>=100]`."""
    meaning, *said = re.split(r"\s*\[(?=default: |required|[x\d])", _plain(text.replace("\\[", "[")))
    words = "; ".join(word.rstrip("]") for word in said).split("; ")
    default = [word.removeprefix("default: ") for word in words if "x<" not in word and "x>" not in word]
    least = [word.split("x>=")[-1].split("<=x")[0] for word in words if "x>=" in word or "<=x" in word]
    shown = [f"at least {least[0]}"] if least and least[0] != "0" else []
    names = re.sub(r"<list\[(\w+)\]>", lambda found: f"<{found[1].lower()}>", names.replace(" range>", ">"))
    return [f"`{names}`", ", ".join([*filter(None, default), *shown]), meaning.strip()]


def _plain(text: str) -> str:
    """Without the marks of colours."""
    return re.sub(r"\[/?(bold|cyan|dim)\]", "", text).strip()
