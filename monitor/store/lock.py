"""One process owns the state: a lock on a side file, held for the process's life."""

import fcntl
import os
from pathlib import Path

from monitor.store.error import StoreError


class OwnerLock:
    """Holds `<state file>.lock`; the kernel lets go of it when the process ends, however it ends.

    `flock`, not `lockf`: a POSIX lock would be lost as soon as anything in the process closed the file.
    """

    def __init__(self, state: Path) -> None:
        """Takes the lock. Raises StoreError where another process has it, or where it cannot be written."""
        path = state.with_name(state.name + ".lock")
        try:
            state.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                f"{state}: the state cannot be written here ({error.strerror}); "
                "give the daemon a folder of its own by store.url, writable for its user"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreError(
                f"{state}: the state is in use by process {owner}; "
                "stop that one first, or ask it through its API"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go. The file stays: removing it would let two processes hold two files of one name."""
        os.close(self._fd)
