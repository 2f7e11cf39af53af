"""A lock on a folder that says who holds it, and goes away with the process that does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

__all__ = ["HeldError", "lock"]

#: Characters of a command that are told: a run may have thousands of paths.
_TOLD = 200


class HeldError(OSError):
    """Another process holds the lock; `who` says which."""

    def __init__(self, who: str) -> None:
        super().__init__(f"held by {who}")
        self.who = who


def lock(path: Path, command: str) -> int:
    """Lock the file `path`, made when absent, and return its handle; closing it lets the lock go.

    Parameters
    ----------
    path : Path
        The file: it keeps the name of its last holder, and may be removed by whoever holds it.
    command : str
        What the holder does, told to whoever comes second; without secrets.

    Raises
    ------
    HeldError
        If another process holds it.
    OSError
        If the file cannot be made, written or locked.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(handle, path):  # its holder removed it just before letting go
                os.close(handle)
                continue
            _sign(handle, path, command)
        except BlockingIOError as error:
            who = os.read(handle, 4096).decode("utf-8", "replace").strip() or "another process"
            os.close(handle)
            raise HeldError(who) from error
        except BaseException:
            os.close(handle)
            raise
        return handle


def _sign(handle: int, path: Path, command: str) -> None:
    """Write into a lock that is held who holds it; where the disk refuses, leave no lock."""
    told = command if len(command) <= _TOLD else command[: _TOLD - 4] + " ..."
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}: {told}\n".encode(errors="replace"))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether an open file is still what lies at its path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
