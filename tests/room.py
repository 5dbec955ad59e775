"""A full disk, without filling one."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def little_room(n_bytes: int) -> Iterator[None]:
    """Within, no file of this process grows beyond n bytes. Keep it short: the test runner writes files too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
