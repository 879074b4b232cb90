"""A file read at any place by any number of threads; closed when the last of them is done with it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_POSITIONAL = hasattr(os, "pread")


class OpenFile:
    """An open file without a position of its own.

    It has no `close`: a number of a closed file may be given to another file while a thread still reads
    from it. Let go of it instead.
    """

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()

    def read(self, length: int, place: int) -> bytes:
        """Return up to `length` bytes from `place` on; fewer only at the end of the file."""
        if _POSITIONAL:
            found = os.pread(self._number, length, place)
        else:  # Windows
            with self._lock:
                os.lseek(self._number, place, os.SEEK_SET)
                found = os.read(self._number, length)
        if 0 < len(found) < length:  # a network share may give less than asked
            found += self.read(length - len(found), place + len(found))
        return found

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            os.close(self._number)
