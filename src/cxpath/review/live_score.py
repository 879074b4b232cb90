"""The CPS of a slide under review: kept up to date edit by edit, and which cells may still move it most.

Equals `score_cells` on the edited table, but looks only at what an edit can change: the cells themselves, and
the immune cells within reach of tumour that came or went. Knows no files.

Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from cxpath.data import CellTable, Kind, Reason
from cxpath.review.cells import ReviewedCells
from cxpath.review.state import ReviewState
from cxpath.scores import (
    AuditQuestion,
    CellCounts,
    Cutoff,
    FieldLattice,
    GroupedCounts,
    ScoreEstimate,
    ScoringSettings,
    countable_kind,
    estimate_cps,
    in_uncounted_region,
    near_tumour,
    places_on_lattice,
    sample_scores,
    slide_error_of,
    threshold_of,
    why_inadequate,
    with_threshold_of,
)

# How a cell enters the counts.
_TUMOUR_POSITIVE, _TUMOUR_NEGATIVE, _IMMUNE_POSITIVE, _IMMUNE_NEGATIVE, _OTHER, _FAR_IMMUNE, _GONE = range(7)
_WAYS = 7

TUMOUR = (_TUMOUR_POSITIVE, _TUMOUR_NEGATIVE)
COUNTED = (_TUMOUR_POSITIVE, _IMMUNE_POSITIVE)
"""The ways of the denominator and of the numerator."""

_NO_CELL = 255

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LiveEstimate:
    """What the cells amount to now.

    Parameters
    ----------
    counts : CellCounts
        Without the two kinds of immune cells, which need the whole table.
    because : tuple of Reason
        Why there is no score; empty for an evaluable slide.
    cps : ScoreEstimate or None
    """

    counts: CellCounts
    because: tuple[Reason, ...]
    cps: ScoreEstimate | None


class LiveScore:
    """Counts of a reviewed slide by field; `update` follows the cells, `estimate` scores them.

    Parameters
    ----------
    reviewed : ReviewedCells
    settings : ScoringSettings
        Those of the score.
    cutoffs : sequence of Cutoff
    already_because : sequence of Reason
        Reasons other than its cells that make the slide not evaluable.
    """

    def __init__(
        self,
        reviewed: ReviewedCells,
        settings: ScoringSettings,
        cutoffs: Sequence[Cutoff] = (),
        already_because: Sequence[Reason] = (),
    ) -> None:
        self._settings = with_threshold_of(reviewed.table, settings)
        self._cutoffs, self._already_because = tuple(cutoffs), tuple(already_because)
        self._facts = reviewed.table.facts
        self._side_px = settings.field_um / self._facts.mpp
        self._columns = places_on_lattice(reviewed.table.take(np.arange(0)), self._side_px)[1]
        self._squares = _Squares(settings.association_distance_um / self._facts.mpp)
        self._codes: NDArray[np.uint8]
        self._counts: NDArray[np.int64]
        self._certain: NDArray[np.int64]
        self._take_all(reviewed)

    def update(self, reviewed: ReviewedCells) -> Rows:
        """Follow the cells to where they are now; returns the rows whose call or standing changed."""
        codes = _codes(reviewed, threshold_of(self._settings))
        known = len(self._codes)
        moved = len(codes) < known or not _same_places(reviewed.table, self._x_px, self._y_px)
        if moved:
            self._take_all(reviewed)
            return np.arange(len(codes), dtype=np.int64)
        self._append_places(reviewed.table, known)
        before = np.concatenate([self._codes, np.full(len(codes) - known, _NO_CELL, dtype=np.uint8)])
        changed = np.flatnonzero(codes != before)
        self._codes = codes
        self._recount(self._to_decide(changed, before))
        return changed

    def estimate(self) -> LiveEstimate:
        """Score the cells as they are now; as `score_cells` does."""
        counts = self._cell_counts()
        because = (*self._already_because, *why_inadequate(counts, self._settings.minimum_tumour_cells))
        if because:
            return LiveEstimate(counts, because, None)
        held = self._counts[:, :_GONE].sum(axis=1) > 0
        whole, certain = _grouped(self._counts[held]), _grouped(self._certain[held])
        draws, _ = sample_scores([whole], slide_error_of(self._settings), certain=certain)
        return LiveEstimate(counts, (), estimate_cps(counts, draws, self._settings, self._cutoffs))

    def lattice(self) -> FieldLattice:
        """Return the fields that contain cells; no field is stated for single cells."""
        numbers = np.flatnonzero(self._counts[:, :_GONE].sum(axis=1) > 0)
        columns = (numbers % self._columns, numbers // self._columns)
        left_px, top_px = (np.asarray(column * self._side_px, dtype=np.float64) for column in columns)
        counts = _grouped(self._counts[numbers])
        none = np.zeros(0, dtype=np.int64)
        return FieldLattice(numbers, left_px, top_px, self._side_px, counts, none)

    @property
    def ways(self) -> NDArray[np.uint8]:
        """How each cell enters the counts: 0 and 1 tumour positive and negative, 2 counted immune, 6 gone."""
        return self._ways

    # Counting.

    def _take_all(self, reviewed: ReviewedCells) -> None:
        table = reviewed.table
        self._x_px, self._y_px = table.x_px, table.y_px
        self._codes = _codes(reviewed, threshold_of(self._settings))
        self._field = places_on_lattice(table, self._side_px)[0]
        self._squares.take(table)
        immune = self._stained_immune()
        near = np.zeros(len(table), dtype=bool)
        rows = np.flatnonzero(self._is(Kind.TUMOUR) | immune)
        near[rows] = self._near(rows, immune[rows])
        self._ways = _ways(self._codes, near)
        places = int(self._field.max(initial=0)) + 1
        self._counts = _tally(self._field, self._ways, places)
        self._tally_certain()

    def _append_places(self, table: CellTable, known: int) -> None:
        if len(table) == known:
            return
        self._x_px, self._y_px = table.x_px, table.y_px
        added = table.take(np.arange(known, len(table)))
        field = places_on_lattice(added, self._side_px)[0]
        self._field = np.concatenate([self._field, field])
        self._squares.append(added)
        self._ways = np.concatenate([self._ways, np.full(len(added), _GONE, dtype=np.uint8)])
        lacking = max(int(field.max()) + 1 - len(self._counts), 0)
        self._counts = np.pad(self._counts, ((0, lacking), (0, 0)))
        self._certain = np.pad(self._certain, ((0, lacking), (0, 0)))
        # cells that are not there yet are counted as gone, so that they can be taken out below
        np.add.at(self._counts, (field, np.full(len(added), _GONE)), 1)

    def _to_decide(self, changed: Rows, before: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Say which cells changed, or are immune cells near tumour that changed."""
        decide = np.zeros(len(self._codes), dtype=bool)
        decide[changed] = True
        was, now = before[changed] & _KIND, self._codes[changed] & _KIND
        moved = changed[(was == Kind.TUMOUR) != (now == Kind.TUMOUR)]
        if len(moved):
            decide |= self._squares.around(moved) & self._stained_immune()
        return decide

    def _recount(self, decide: NDArray[np.bool_]) -> None:
        candidates = decide & self._stained_immune()
        near = np.zeros(len(decide), dtype=bool)
        if candidates.any():
            around = self._squares.around(np.flatnonzero(candidates))
            rows = np.flatnonzero(candidates | (around & self._is(Kind.TUMOUR)))
            near[rows] = self._near(rows, candidates[rows])
        rows = np.flatnonzero(decide)
        ways = _ways(self._codes[rows], near[rows])
        np.subtract.at(self._counts, (self._field[rows], self._ways[rows]), 1)
        np.add.at(self._counts, (self._field[rows], ways), 1)
        self._ways[rows] = ways
        self._tally_certain()

    def _tally_certain(self) -> None:
        by_person = np.flatnonzero(self._codes & _BY_PERSON)
        self._certain = _tally(self._field[by_person], self._ways[by_person], len(self._counts))

    def _near(self, rows: Rows, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
        kind = np.minimum(self._codes[rows] & _KIND, np.uint8(Kind.OTHER))
        table = CellTable.from_columns(self._facts, x_px=self._x_px[rows], y_px=self._y_px[rows], kind=kind)
        return near_tumour(table, candidates, self._settings.association_distance_um)

    def _cell_counts(self) -> CellCounts:
        total = self._counts.sum(axis=0).tolist()
        return CellCounts(
            tumour_positive=total[_TUMOUR_POSITIVE],
            tumour_negative=total[_TUMOUR_NEGATIVE],
            immune_positive=total[_IMMUNE_POSITIVE],
            immune_negative=total[_IMMUNE_NEGATIVE],
            immune_positive_not_associated=total[_FAR_IMMUNE],
            other=total[_OTHER],
        )

    def _is(self, kind: Kind) -> NDArray[np.bool_]:
        return np.asarray((self._codes & _KIND) == kind)

    def _stained_immune(self) -> NDArray[np.bool_]:
        return np.asarray((self._codes & (_KIND | _POSITIVE)) == (Kind.IMMUNE | _POSITIVE))


# One byte a cell: all of it that the counts depend on.

_KIND, _POSITIVE, _BY_PERSON = 3, 4, 8


def _codes(reviewed: ReviewedCells, stained_threshold: float) -> NDArray[np.uint8]:
    table = reviewed.table
    codes = countable_kind(table)
    codes[~reviewed.scored] = _KIND  # gone
    codes |= np.where(table.stained >= stained_threshold, np.uint8(_POSITIVE), np.uint8(0))
    codes |= np.where(reviewed.by_person, np.uint8(_BY_PERSON), np.uint8(0))
    return codes


def _same_places(table: CellTable, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> bool:
    known = len(x_px)
    same = np.array_equal(table.x_px[:known], x_px) and np.array_equal(table.y_px[:known], y_px)
    return bool(same)


def _ways(codes: NDArray[np.uint8], near: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return how cells enter the counts, the stained immune cells near tumour known."""
    unstained = np.array([_TUMOUR_NEGATIVE, _IMMUNE_NEGATIVE, _OTHER, _GONE], dtype=np.uint8)
    stained = np.array([_TUMOUR_POSITIVE, _FAR_IMMUNE, _OTHER, _GONE], dtype=np.uint8)
    kind = codes & _KIND
    ways = np.where(codes & _POSITIVE, stained[kind], unstained[kind])
    ways[near & (ways == _FAR_IMMUNE)] = _IMMUNE_POSITIVE
    return np.asarray(ways)


def _tally(field: NDArray[np.int64], ways: NDArray[np.uint8], places: int) -> NDArray[np.int64]:
    """Return the cells of each field and way, (places, ways)."""
    joint = field * _WAYS + ways
    return np.bincount(joint, minlength=places * _WAYS).reshape(places, _WAYS).astype(np.int64)


def _grouped(counts: NDArray[np.int64]) -> GroupedCounts:
    return GroupedCounts(
        tumour_positive=counts[:, _TUMOUR_POSITIVE],
        tumour_negative=counts[:, _TUMOUR_NEGATIVE],
        immune_positive=counts[:, _IMMUNE_POSITIVE],
        immune_negative=counts[:, _IMMUNE_NEGATIVE],
        other=counts[:, _OTHER],
    )


class _Squares:
    """The square that each cell lies in, to find those around a cell.

    Parameters
    ----------
    side_px : float
        Of a square; nothing nearer than that is missed in the squares next to a cell's own.
    """

    def __init__(self, side_px: float) -> None:
        self._side_px = side_px
        self._columns = 1
        self._place: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def take(self, table: CellTable) -> None:
        """Forget all cells and take these."""
        self._place, self._columns = places_on_lattice(table, self._side_px)

    def append(self, table: CellTable) -> None:
        """Take cells that follow those that are known."""
        self._place = np.concatenate([self._place, places_on_lattice(table, self._side_px)[0]])

    def around(self, rows: Rows) -> NDArray[np.bool_]:
        """Say which cells lie in the squares of these, or in one next to them."""
        down = int(self._place.max()) // self._columns + 1
        marked = np.zeros((down, self._columns), dtype=bool)
        marked.ravel()[self._place[rows]] = True
        marked = ndimage.binary_dilation(marked, structure=np.ones((3, 3), dtype=bool))
        return np.asarray(marked.ravel()[self._place])


# What a reader looks at next: open questions of the audit, cells whose doubtful call moves the score most.


@dataclass(frozen=True)
class AuditQueue:
    """One reader's audit.

    Parameters
    ----------
    open : tuple of AuditQuestion
        Not answered yet, in the order of the draw, which is shuffled over the strata.
    answered : int
    """

    open: tuple[AuditQuestion, ...]
    answered: int

    @property
    def done(self) -> bool:
        """Whether every question has its answer."""
        return not self.open


def audit_queue(state: ReviewState, actor: str) -> AuditQueue:
    """Return what a reader has still to answer; empty before an audit is drawn."""
    questions = state.audit.draw.questions if state.audit else ()
    waiting = tuple(one for one in questions if (actor, one.row) not in state.answers)
    return AuditQueue(waiting, len(questions) - len(waiting))


Array = NDArray[np.float64]

_FARTHEST = 1e-6
"""Probabilities nearer to 0 or 1 than this are clipped there."""


class Doubt(StrEnum):
    """What of a cell's call is doubted."""

    ALL = "all"
    CLASS = "class"
    STAINING = "staining"


def uncertainty(
    cells: CellTable, counts: CellCounts, stained_threshold: float, doubt: Doubt = Doubt.ALL
) -> Array:
    """Return for each cell the standard deviation that its doubtful call gives the logarithm of the CPS.

    A cell enters the CPS as stained or unstained tumour, as stained immune cell, or not at all; its
    probabilities of these and what each would change give the variance. Probabilities of staining are
    shifted in log-odds, so that the threshold stands at one half.

    Parameters
    ----------
    cells : CellTable
    counts : CellCounts
        Of the slide.
    stained_threshold : float
    doubt : Doubt
        What is taken as doubtful; the rest as it is called.

    Returns
    -------
    float array, (N,)
        0 for cells whose call is certain or not stated, and in necrosis or benign epithelium.
    """
    tumour, immune = _class_probabilities(cells, certain=doubt is Doubt.STAINING)
    stained = _stained_probability(cells, stained_threshold, certain=doubt is Doubt.CLASS)
    up = 1.0 / max(counts.positive, 1)
    down = 1.0 / max(counts.tumour, 1)
    in_numerator = (tumour + immune) * stained
    mean = in_numerator * up - tumour * down
    square = tumour * stained * (up - down) ** 2 + tumour * (1 - stained) * down**2 + immune * stained * up**2
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    spread[in_uncounted_region(cells)] = 0.0
    return np.asarray(spread)


def _class_probabilities(cells: CellTable, *, certain: bool) -> tuple[Array, Array]:
    stated = [column.astype(np.float64) for column in (cells.p_tumour, cells.p_immune, cells.p_other)]
    total = stated[0] + stated[1] + stated[2]
    known = np.isfinite(total) & (total > 0) & (not certain)
    whole = np.where(known, total, 1.0)
    tumour, immune = (
        np.where(known, stated[kind], cells.kind == kind) / whole for kind in (Kind.TUMOUR, Kind.IMMUNE)
    )
    return tumour, immune


def _stained_probability(cells: CellTable, threshold: float, *, certain: bool) -> Array:
    called = (cells.stained >= threshold).astype(np.float64)
    if certain:
        return called
    stated = cells.stained.astype(np.float64)
    held = np.clip(stated, _FARTHEST, 1.0 - _FARTHEST)
    centre = special.logit(np.clip(threshold, _FARTHEST, 1.0 - _FARTHEST))
    shifted = special.expit(special.logit(held) - centre)
    doubtful = np.isfinite(stated) & (stated > 0.0) & (stated < 1.0)
    return np.where(doubtful, shifted, called)


def most_uncertain(spread: Array, usable: NDArray[np.bool_], number: int) -> NDArray[np.int64]:
    """Return the rows of the most uncertain usable cells, most uncertain first; certain ones are left out.

    Parameters
    ----------
    spread : float64 array, (N,)
        How uncertain a cell makes the score; 0 for a certain cell.
    usable : bool array, (N,)
        Cells that may be shown.
    number : int
        Most rows to return.

    Returns
    -------
    int64 array
    """
    rows = np.flatnonzero(usable & (spread > 0))
    if len(rows) > number:
        rows = rows[np.argpartition(-spread[rows], number)[:number]]
    return rows[np.lexsort((rows, -spread[rows]))]
