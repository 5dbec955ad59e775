"""What a check says of a recording."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from leakyflow.errors import LeakyflowError

__all__ = ["Finding", "refuse", "warnings_of"]


class Finding(NamedTuple):
    """One line for a person.

    Attributes:
        level: "refuse" where it cannot be, "warn" where it may be meant.
        what: What must hold, and what came.
        cure: What to do.
        argument: Name of the argument that cures it, where there is one.
    """

    level: Literal["refuse", "warn"]
    what: str
    cure: str
    argument: str | None = None

    def __str__(self) -> str:
        return f"{self.what} {self.cure}"


def refuse(findings: Iterable[Finding]) -> None:
    """Raise the first finding that is a refusal.

    Raises:
        LeakyflowError: If there is one.

    Example:
        >>> refuse([Finding("refuse", "V must move, got -70 mV throughout.", "Choose another window.", "start")])
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: V must move, got -70 mV throughout.
        Choose another window.
    """
    for finding in findings:
        if finding.level == "refuse":
            raise LeakyflowError(f"{finding.what}\n{finding.cure}", argument=finding.argument)


def warnings_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that are no refusals."""
    return tuple(finding for finding in findings if finding.level == "warn")
