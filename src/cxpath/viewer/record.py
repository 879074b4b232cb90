"""The record of a review while its server runs: read once, then followed and extended line by line.

Every decision is on the disk before its answer leaves the server. Other processes may write to the same
record; what they wrote is read before anything is appended.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from cxpath.app import CXPATH, RECORD, ReviewFolder
from cxpath.io import append_durably, claimed_in_time, folder_for
from cxpath.review import (
    Decision,
    Event,
    ReviewError,
    ReviewState,
    begin_decision,
    extended,
    read_events,
    replay,
)


class OutdatedError(ReviewError):
    """Decisions that were made from fewer events than the record has by now."""


class LiveRecord:
    """The events of a review and what they amount to; any number of threads may use it.

    Parameters
    ----------
    review : ReviewFolder

    Raises
    ------
    ReviewError
        When the record is broken; the first bad line is named.
    """

    def __init__(self, review: ReviewFolder) -> None:
        self._review = review
        self._lock = threading.Lock()
        self._content = b""
        self.events: tuple[Event, ...] = ()
        self.state = ReviewState()
        self._repair()
        found = review.verified()
        if found is not None:
            self._content = self._path.read_bytes()
            self._keep(read_events(self._content, review.genesis))

    @property
    def _path(self) -> Path:
        return self._review.path / RECORD

    def refresh(self) -> bool:
        """Read what other processes appended; says whether there was anything."""
        with self._lock:
            return self._read_on()

    def append(self, decisions: Sequence[Decision], expected: int) -> tuple[Event, ...]:
        """Append decisions and return their events; on the disk when this returns.

        Parameters
        ----------
        decisions : sequence of Decision
        expected : int
            Number of events that the decisions were made from.

        Raises
        ------
        OutdatedError
            When the record has more events by now; nothing is written.
        ReviewError, OutputError
            When the record was changed from outside, or cannot be written.
        """
        folder_for(self._review.path)
        with self._lock, claimed_in_time(self._review.path):
            self._cut_torn_line()
            self._read_on()
            if len(self.events) != expected:
                raise OutdatedError("another process wrote to this review")
            genesis = self._review.genesis
            first = () if self.events else (begin_decision(genesis, CXPATH),)
            events = extended(genesis, self.events, [*first, *decisions])
            state, added = replay(events), events[expected:]
            content = "".join(f"{event.line}\n" for event in added).encode()
            append_durably(self._path, content)
            self._content += content
            self.events, self.state = events, state
            return added[len(first) :]

    def _keep(self, events: tuple[Event, ...]) -> None:
        self.events, self.state = events, replay(events)

    def _read_on(self) -> bool:
        try:
            if self._path.stat().st_size == len(self._content):
                return False
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise ReviewError(f"{self._path}: cannot be read: {error.strerror or error}", "") from error
        if not content.startswith(self._content):
            raise ReviewError(f"{self._path}: was changed while it was open", "restore it from a backup")
        whole = content[: content.rfind(b"\n") + 1]  # another process may be in the middle of a line
        added = whole[len(self._content) :]
        if not added:
            return False
        self._keep(read_events(added, self._review.genesis, self.events))
        self._content = whole
        return True

    def _repair(self) -> None:
        if self._path.is_file():
            with claimed_in_time(self._review.path):
                self._cut_torn_line()

    def _cut_torn_line(self) -> None:
        """Cut off a line without an end: a power cut broke it off before its answer was given."""
        try:
            content = self._path.read_bytes() if self._torn() else b"\n"
            if not content.endswith(b"\n"):
                with self._path.open("r+b") as file:
                    file.truncate(content.rfind(b"\n") + 1)
        except FileNotFoundError:
            pass

    def _torn(self) -> bool:
        size = self._path.stat().st_size
        if size == 0:
            return False
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) != b"\n"
