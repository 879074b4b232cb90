"""What a person says about cells and squares of an audit, and what the answers sum up to. Knows no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.data import CellTable, Kind
from cxpath.scores.audit_sample import (
    ASKED,
    IN_DENOMINATOR,
    IN_NUMERATOR,
    OUTSIDE,
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    STRATA,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    Array,
    AuditDraw,
    AuditError,
    AuditFrame,
)
from cxpath.scores.counts import countable_kind, near_tumour, places_on_lattice


class CellAnswer(StrEnum):
    """What a person says about a cell."""

    TUMOUR = "tumour"
    IMMUNE = "immune"
    OTHER = "other"
    NOT_A_CELL = "not a cell"
    CANNOT_TELL = "cannot tell"


_KINDS = {CellAnswer.TUMOUR: Kind.TUMOUR, CellAnswer.IMMUNE: Kind.IMMUNE}


@dataclass(frozen=True)
class AuditAnswer:
    """What a person said about one cell; `stained` is None where it was not asked or not needed."""

    row: int
    answer: CellAnswer
    stained: bool | None = None


@dataclass(frozen=True, eq=False)
class AnsweredCells:
    """The cells of an audit that were answered, those outside the regions to score left out; M cells.

    Parameters
    ----------
    rows : int array, (M,)
    stratum : int array, (M,)
    inclusion : float array, (M,)
        Probabilities with which they were drawn.
    kind : int array, (M,)
        `Kind` by the answers; what is no cell is other.
    ways : float array, (M, 4)
        How each enters the CPS.
    """

    rows: NDArray[np.int64]
    stratum: NDArray[np.int64]
    inclusion: Array
    kind: NDArray[np.int64]
    ways: Array

    @property
    def numbers(self) -> Array:
        """Cells of each stratum, (9,)."""
        return np.bincount(self.stratum, minlength=len(STRATA)).astype(np.float64)

    def and_also(self, other: AnsweredCells) -> AnsweredCells:
        """Return these cells and others."""
        columns = vars(self)
        return AnsweredCells(
            **{name: np.concatenate([column, getattr(other, name)]) for name, column in columns.items()}
        )

    def entering_as(self, ways: Array) -> AnsweredCells:
        """Return these cells, entering the CPS in other ways, (M, 4)."""
        return replace(self, ways=ways)


def matched_answers(draw: AuditDraw, answers: Sequence[AuditAnswer]) -> Mapping[int, AuditAnswer]:
    """Return the answers by row.

    Raises
    ------
    AuditError
        When one is missing, twice, foreign, or without the staining that was asked for.
    """
    given = {answer.row: answer for answer in answers}
    if len(given) < len(answers):
        raise AuditError("a cell is answered twice", "give one answer for each cell")
    asked = {question.row: question for question in draw.questions}
    if foreign := sorted(set(given) - set(asked)):
        raise AuditError(f"cell {foreign[0]} was not sampled", "answer the cells of this audit only")
    for row, question in asked.items():
        if row not in given:
            raise AuditError(f"cell {row} has no answer", "answer every cell, 'cannot tell' included")
        counts = given[row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
        if counts and question.asks_stained and given[row].stained is None:
            raise AuditError(f"cell {row} has no answer about its staining", "answer yes or no")
    return given


def answered_cells(
    frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer]
) -> tuple[AnsweredCells, AnsweredCells]:
    """Return the cells that are answered, and those answered "cannot tell", which the score ignores.

    Parameters
    ----------
    frame : AuditFrame
        As the regions are now; cells outside them are left out.
    draw : AuditDraw
    given : mapping of int to AuditAnswer
        By the cell's row; one for each question.

    Returns
    -------
    answered, unsure : AnsweredCells

    Raises
    ------
    AuditError
        When a cell lies in another stratum now than when it was drawn.
    """
    associated = _associated(frame, given)
    inside = [question for question in draw.questions if frame.stratum[question.row] != OUTSIDE]
    if any(frame.stratum[question.row] != question.stratum for question in inside):
        raise AuditError(
            "the audit was sampled from other strata than those of these cells", "sample another with --seed"
        )
    unsure = [given[one.row].answer is CellAnswer.CANNOT_TELL for one in inside]
    ways = [_way_of(given[one.row], associated[one.row], asked=bool(ASKED[one.stratum])) for one in inside]
    cells = AnsweredCells(
        np.array([one.row for one in inside], dtype=np.int64),
        np.array([one.stratum for one in inside], dtype=np.int64),
        np.array([one.inclusion for one in inside], dtype=np.float64),
        np.array([_KINDS.get(given[one.row].answer, Kind.OTHER) for one in inside], dtype=np.int64),
        np.array(ways, dtype=np.float64).reshape(-1, 4),
    )
    doubtful = np.array(unsure, dtype=bool)
    return _taken(cells, ~doubtful), _taken(cells, doubtful)


def _taken(cells: AnsweredCells, chosen: NDArray[np.bool_]) -> AnsweredCells:
    return AnsweredCells(**{name: column[chosen] for name, column in vars(cells).items()})


def _way_of(given: AuditAnswer, associated: bool, *, asked: bool) -> Array:  # noqa: FBT001
    stained = bool(given.stained) and asked
    if given.answer is CellAnswer.TUMOUR:
        return STAINED_TUMOUR if stained else UNSTAINED_TUMOUR
    if given.answer is CellAnswer.IMMUNE and stained and associated:
        return STAINED_IMMUNE
    return UNCOUNTED


def _associated(frame: AuditFrame, given: Mapping[int, AuditAnswer]) -> Mapping[int, bool]:
    """Say of each answered cell whether it lies near tumour, by the answers where there are any."""
    kind = np.where(frame.inside, countable_kind(frame.cells), Kind.OTHER).astype(np.uint8)
    rows = np.fromiter(given, dtype=np.int64, count=len(given))
    for row, answer in given.items():
        if answer.answer is not CellAnswer.CANNOT_TELL:
            kind[row] = Kind.TUMOUR if answer.answer is CellAnswer.TUMOUR else Kind.OTHER
    cells = replace(frame.cells, kind=kind, region=np.zeros_like(frame.cells.region))
    asked = np.zeros(len(cells), dtype=bool)
    asked[rows] = True
    near = near_tumour(cells, asked, frame.reach_um)
    return {int(row): bool(near[row]) for row in rows}


# Cells that the detector missed: outside the frame, so that they are looked for apart.

SQUARE_UM = 50.0
"""Side of a square in which a person marks the cells that the detector missed."""

_SQUARE_PRIOR_CELLS = 5.0
"""Found cells in the numerator for which the whole square's share of missed cells speaks beforehand."""


@dataclass(frozen=True)
class MissedSquare:
    """A square in which the cells that the detector missed were counted by a person.

    Parameters
    ----------
    left_px, top_px, side_px : float
        In level-0 pixels.
    tumour_stained, tumour_unstained, immune_stained : int or None
        Missed cells; None before an answer.
    """

    left_px: float
    top_px: float
    side_px: float
    tumour_stained: int | None = None
    tumour_unstained: int | None = None
    immune_stained: int | None = None


def draw_squares(
    cells: CellTable, number: int, seed: int, inside: NDArray[np.bool_] | None = None
) -> tuple[MissedSquare, ...]:
    """Sample squares of `SQUARE_UM` at random among those that contain a found cell where to score.

    Parameters
    ----------
    cells : CellTable
    number : int
        Squares wanted; fewer are returned where fewer contain a cell.
    seed : int
    inside : bool array, (N,), optional
        Cells that lie where to score; all of them when left out.

    Returns
    -------
    tuple of MissedSquare
        In level-0 pixels.
    """
    if number <= 0:
        return ()
    side_px = SQUARE_UM / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    occupied = np.unique(place if inside is None else place[inside])
    rng = np.random.default_rng([seed, 1])
    chosen = rng.choice(occupied, min(number, len(occupied)), replace=False)
    return tuple(
        MissedSquare(float(one % columns) * side_px, float(one // columns) * side_px, side_px)
        for one in chosen
    )


def found_in(frame: AuditFrame, square: MissedSquare) -> tuple[float, float]:
    """Return the cells that the network counts in numerator and denominator inside a square."""
    x, y = frame.cells.x_px - square.left_px, frame.cells.y_px - square.top_px
    ways = frame.called[(x >= 0) & (x < square.side_px) & (y >= 0) & (y < square.side_px)].sum(axis=0)
    return float(ways @ IN_NUMERATOR), float(ways @ IN_DENOMINATOR)


def missed_effect(
    squares: Sequence[MissedSquare], found: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return by how much missed cells change the logarithm of the CPS, and the standard error of that.

    Parameters
    ----------
    squares : sequence of MissedSquare
        Answered.
    found : sequence of tuple
        Found cells in numerator and denominator in each square, by the answers of the audit as far as they
        tell.
    """
    if not squares:
        return 0.0, 0.0
    missed, cells = np.array([_missed_in(square) for square in squares]), np.array(found)
    of_tumour = missed[:, 1].sum() / max(cells[:, 1].sum(), 1.0)
    weight = cells[:, 0].sum() + _SQUARE_PRIOR_CELLS
    of_positive = (missed[:, 0].sum() + _SQUARE_PRIOR_CELLS * of_tumour) / weight
    errors = (
        _ratio_error(missed[:, 0], cells[:, 0], of_positive, weight),
        _ratio_error(missed[:, 1], cells[:, 1], of_tumour, max(cells[:, 1].sum(), 1.0)),
    )
    return float(np.log1p(of_positive) - np.log1p(of_tumour)), float(np.hypot(*errors))


def _missed_in(square: MissedSquare) -> tuple[int, int]:
    """Return the missed cells of a square in numerator and denominator."""
    stained = square.tumour_stained or 0
    return stained + (square.immune_stained or 0), stained + (square.tumour_unstained or 0)


def _ratio_error(missed: Array, found: Array, ratio: float, weight: float) -> float:
    """Return the standard error of log(1 + missed/found): squares differ at least as single cells do."""
    single = ratio * weight
    apart = len(missed) / max(len(missed) - 1, 1) * float(((missed - ratio * found) ** 2).sum())
    return float(np.sqrt(max(single, apart)) / weight / (1 + ratio))
