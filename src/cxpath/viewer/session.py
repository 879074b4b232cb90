"""A review while its server runs: the cells, the scores and the record, in step with one another.

One lock orders everything that reads or changes them; a request sees one moment of the review.

Every decision is on the disk before its answer leaves the server. Other processes may write to the same
record; what they wrote is read before anything is appended.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.app import CXPATH, RECORD, ReviewFolder, audit_name, open_review, review_folder
from cxpath.data import CellTable, Reason, ReasonCode
from cxpath.errors import CxpathError
from cxpath.io import append_durably, claimed_in_time, folder_for
from cxpath.review import (
    Action,
    Decision,
    Event,
    LiveEstimate,
    LiveScore,
    ReviewedCells,
    ReviewError,
    ReviewState,
    begin_decision,
    extended,
    frame_of_audit,
    inside_regions,
    read_events,
    regions_of,
    replay,
    reviewed_cells,
)
from cxpath.scores import (
    AuditedScore,
    AuditError,
    Cutoff,
    GroupedCounts,
    ScoreEstimate,
    audited_estimate,
    estimate_audit,
    score_fields,
    threshold_of,
    with_threshold_of,
)
from cxpath.viewer.canvas import CellMarks, cell_grid, cell_marks, encode_cells

_KEPT_MARKS = 8
"""Earlier moments whose marks are kept, to say quickly what changed since."""

_ATTEMPTS = 5

_COUNTED_AGAIN = frozenset({ReasonCode.NO_TUMOUR, ReasonCode.TOO_FEW_TUMOUR_CELLS})
"""Reasons that follow from the cells, and are found again after every edit."""


class RefusedError(CxpathError, ValueError):
    """What was asked does not fit the review as it is.

    Parameters
    ----------
    code : str
        For the page: "reviewer_needed", "conflict", "not_found".
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


@dataclass(frozen=True)
class Author:
    """Who decides, in which session of the browser, and how long he looked."""

    reviewer: str
    session: str
    shown_ms: int | None = None


def printed_name(given: str) -> str:
    """Return a reader's name on one line.

    Raises
    ------
    RefusedError
        When it is none.
    """
    try:
        return review_folder.printed_name(given)
    except ReviewError as error:
        raise RefusedError("bad_request", error.message, error.hint) from error


class ReviewSession:
    """The review of one scored slide.

    Parameters
    ----------
    folder : Path
        A results folder of `cxpath score`.
    reviewer : str, optional
        Printed name; asked for in the browser where it is not given.

    Raises
    ------
    MissingFileError, DocumentError, ReviewError
        When there is nothing to review, or the record is broken.
    """

    def __init__(self, folder: Path, reviewer: str | None = None) -> None:
        self.review: ReviewFolder = open_review(folder)
        scored = self.review.scored
        self.reviewer = reviewer
        self.network: CellTable = scored.cells()
        self.settings = with_threshold_of(self.network, scored.scoring)
        self.threshold = threshold_of(self.settings)
        self.grid = cell_grid(self.network)
        self.record = LiveRecord(self.review)
        self.lock = threading.RLock()
        self._inside: tuple[object, NDArray[np.bool_]] | None = None
        self._marks: OrderedDict[int, CellMarks] = OrderedDict()
        self._values: dict[int, float | None] = {}
        self._audited: tuple[object, AuditedScore | None, str] | None = None
        self.cells: ReviewedCells = self._reviewed(self.record.state)
        self.live = LiveScore(self.cells, self.settings, self.cutoffs, self._already_because())
        self.estimate: LiveEstimate = self.live.estimate()
        self._scored_at = self.record.state
        self._followed = len(self.record.events)
        self._values[self._followed] = self._value()

    # What does not change.

    @cached_property
    def cutoffs(self) -> tuple[Cutoff, ...]:
        """The cut-offs that the network's score was compared with."""
        cps = self.review.scored.score.cps
        return tuple(Cutoff(value, entry.basis) for value, entry in cps.decided) if cps else ()

    def _already_because(self) -> tuple[Reason, ...]:
        stated = self.review.scored.score.not_evaluable_because
        return tuple(Reason(one.code, one.text) for one in stated if one.code not in _COUNTED_AGAIN)

    # The review as it is now.

    @property
    def events(self) -> tuple[Event, ...]:
        """The record so far."""
        return self.record.events

    @property
    def state(self) -> ReviewState:
        """What the record amounts to."""
        return self.record.state

    @property
    def head_hash(self) -> str:
        """Hash of the record's last event, or of what it will start from."""
        return self.events[-1].hash if self.events else self.review.genesis.hash

    def follow(self) -> None:
        """Read what other processes wrote, and bring cells and scores up to the record."""
        with self.lock:
            self.record.refresh()
            if len(self.events) == self._followed:
                return
            if not self.state.same_score(self._scored_at):
                self.cells = self._reviewed(self.state)
                if len(self.live.update(self.cells)):
                    self.estimate = self.live.estimate()
            self._scored_at = self.state
            self._followed = len(self.events)
            self._values[self._followed] = self._value()

    def decide(self, author: Author, make: Callable[[], list[Decision]]) -> tuple[Event, ...]:
        """Record decisions, on the disk when this returns, and follow them.

        Parameters
        ----------
        author : Author
        make : callable
            Makes the decisions from the review as it is then; called again where another process was faster.

        Raises
        ------
        RefusedError
            When others write all the time.
        """
        with self.lock:
            for _ in range(_ATTEMPTS):
                self.follow()
                decisions = [replace(one, session=author.session, shown_ms=author.shown_ms) for one in make()]
                if not decisions:
                    return ()
                try:
                    added = self.record.append(decisions, expected=len(self.events))
                except OutdatedError:
                    continue
                self.follow()
                return added
            raise RefusedError("conflict", "others change this review all the time", "try again")

    def value_at(self, events: int) -> float | None:
        """Return the CPS after so many events, as far as this server saw them."""
        known = max((seen for seen in self._values if seen <= events), default=None)
        return None if known is None else self._values[known]

    def _value(self) -> float | None:
        return self.estimate.cps.value if self.estimate.cps else None

    def _reviewed(self, state: ReviewState) -> ReviewedCells:
        key = canonical_key(state)
        if self._inside is None or self._inside[0] != key:
            self._inside = key, inside_regions(self.network, regions_of(state))
        return reviewed_cells(self.network, state, self.threshold, self.settings.field_um, self._inside[1])

    # The audit.

    def drawn_event(self) -> Event | None:
        """Return the event of the latest draw."""
        return next((one for one in reversed(self.events) if one.action is Action.DRAW), None)

    def audit_label(self) -> str:
        """Return the name of the audit that was drawn last; empty before."""
        drawn = self.drawn_event()
        return audit_name(drawn) if drawn else ""

    def audited(self) -> tuple[AuditedScore | None, str]:
        """Return the audited score of this reviewer, or why his answers give none; neither while open."""
        state, reviewer = self.state, self.reviewer
        if state.audit is None or reviewer is None:
            return None, ""
        answers, squares = state.answers_of(reviewer), state.squares_of(reviewer)
        if len(answers) < len(state.audit.draw.questions) or len(squares) < len(state.audit.squares):
            return None, ""
        key = (state.audit, answers, squares, state.region_values)
        if self._audited is None or self._audited[0] != key:
            try:
                level = self.settings.level
                frame = frame_of_audit(self.network, self.settings, state)
                score = estimate_audit(frame, state.audit.draw, answers, squares, level)
                self._audited = key, score, ""
            except AuditError as error:
                self._audited = key, None, str(error)
        return self._audited[1], self._audited[2]

    def audited_estimate(self, score: AuditedScore) -> ScoreEstimate:
        """Return an audited score with its interval for the tumour and its cut-offs, as it is published."""
        return audited_estimate(score, self._network_fields, self.settings, self.cutoffs)

    @cached_property
    def _network_fields(self) -> GroupedCounts:
        return score_fields(self.network, self.settings).counts

    def hidden_rows(self, state: ReviewState | None = None) -> NDArray[np.int64]:
        """Return the rows whose call does not leave the server.

        All cells of the audit until this reviewer has answered the last: an answer can be given again, and
        should be as blind as the first.
        """
        state = state or self.state
        drawn = state.audit.draw.rows if state.audit else ()
        if self.reviewer is not None and all((self.reviewer, row) in state.answers for row in drawn):
            drawn = ()
        return np.array(sorted(drawn), dtype=np.int64)

    # What the page draws.

    def marks(self) -> CellMarks:
        """Return class and flags of every cell as they are now."""
        with self.lock:
            now = len(self.events)
            if now not in self._marks:
                self._keep_marks(now, self._marks_of(self.cells, self.hidden_rows()))
            return self._marks[now]

    def marks_at(self, events: int) -> CellMarks:
        """Return the marks after so many events."""
        with self.lock:
            if events not in self._marks:
                state = replay(self.events[:events])
                marks = self._marks_of(self._reviewed(state), self.hidden_rows(state))
                self._keep_marks(events, marks)
            return self._marks[events]

    def _marks_of(self, cells: ReviewedCells, hidden: NDArray[np.int64]) -> CellMarks:
        return cell_marks(cells, self.network.stained, self.grid, self.threshold, hidden)

    def _keep_marks(self, events: int, marks: CellMarks) -> None:
        self._marks[events] = marks
        while len(self._marks) > _KEPT_MARKS:
            self._marks.popitem(last=False)

    def forget_marks(self) -> None:
        """Make all marks again: another reviewer has other open questions."""
        with self.lock:
            self._marks.clear()

    def cells_file(self) -> bytes:
        """Return `cells.bin` as it is now."""
        with self.lock:
            return encode_cells(self.cells.table, self.marks(), self.grid, len(self.events))


def canonical_key(state: ReviewState) -> str:
    """Return what tells the regions of one state from those of another."""
    return hashlib.sha256(repr(sorted(state.regions.items())).encode()).hexdigest()


# The record: read once, then followed and extended line by line.


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
