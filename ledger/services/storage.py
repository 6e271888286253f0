"""When disk or database refuse to keep something: one named error for what the operating system says in many ways.

Whoever gets it has no receipt, and sending the same again is harmless.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, OperationalError, connection

FULL, FAILED = "storage_full", "store_failed"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("disk is full", "no space left", "could not extend file")


class StorageError(Exception):
    """Nothing was acknowledged. code: storage_full when there is no space, store_failed for everything else."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause).strip())
        is_full = isinstance(cause, OSError) and cause.errno in NO_SPACE
        is_full = is_full or any(words in str(cause).lower() for words in FULL_WORDS)
        self.code = FULL if is_full else FAILED


@contextmanager
def named_storage_errors() -> Iterator[None]:
    """Around what has to be durable before somebody is told so."""
    try:
        yield
    except (OSError, OperationalError, InterfaceError) as error:
        raise _named(error) from error
    except DatabaseError as error:
        if type(error) is DatabaseError:  # SQLite's word for a file that reads otherwise than it was written
            raise _named(error) from error
        raise


def _named(error: Exception) -> StorageError:
    # What failed may have left the connection in the middle of something; the next statement gets a new one.
    if not connection.in_atomic_block:
        connection.close()
    return StorageError(error)
