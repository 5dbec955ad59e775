"""The one error that leakyflow raises itself."""

__all__ = ["LeakyflowError"]


class LeakyflowError(ValueError):
    """What was given cannot be: says what must hold, what came, and what to do.

    Args:
        message: For people; one screen at most.
        argument: Name of the argument at fault, or of several, where there is one; the command line names its option.

    Example:
        >>> raise LeakyflowError("`sweep` must be 0 to 3, got 7.", argument="sweep")
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: `sweep` must be 0 to 3, got 7.
    """

    def __init__(self, message: str, *, argument: str | tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.argument = argument

    @property
    def arguments(self) -> tuple[str, ...]:
        """All arguments at fault."""
        return (self.argument,) if isinstance(self.argument, str) else self.argument or ()
