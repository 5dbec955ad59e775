"""What a person is told of an error."""

from leakyflow.errors import LeakyflowError

__all__ = ["told"]


def told(error: Exception) -> str:
    """One error in words; that of a system without the path of a temporary folder.

    Example:
        >>> told(LeakyflowError("`sweep` must be 0 to 3, got 7."))
        '`sweep` must be 0 to 3, got 7.'
        >>> told(KeyError("x"))
        "This was not foreseen: KeyError: 'x'. Another file, or other settings, may do."
    """
    if isinstance(error, LeakyflowError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}. Check the file."
    return f"This was not foreseen: {type(error).__name__}: {error}. Another file, or other settings, may do."
