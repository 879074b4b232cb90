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
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    STRATA,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    Array,
    AuditDraw,
    AuditError,
    AuditFrame,
    sums_by_stratum,
)
from cxpath.scores.counts import countable_kind, near_tumour, places_on_lattice

_PRIOR_ANSWERS = 0.5
"""Answers that the network's call counts for in the estimate."""


class CellAnswer(StrEnum):
    """What a person says about a cell."""

    TUMOUR = "tumour"
    IMMUNE = "immune"
    OTHER = "other"
    NOT_A_CELL = "not a cell"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class AuditAnswer:
    """What a person said about one cell; `stained` is None where it was not asked or not needed."""

    row: int
    answer: CellAnswer
    stained: bool | None = None


@dataclass(frozen=True, eq=False)
class Told:
    """The cells whose answer is no "cannot tell": their rows (M,) and how they enter the CPS (M, 4)."""

    rows: NDArray[np.int64]
    ways: Array


@dataclass(frozen=True, eq=False)
class Tally:
    """Answers summed up.

    Parameters
    ----------
    ways : float array, (9, 4)
        Cells by stratum and way.
    cannot_tell : float array, (9,)
    assistance : float array, (9, 4)
        What the probabilities of the cells that were not drawn add to the shares.
    explained : float
        Share of the variance between answers that the probabilities explain, 0 to 1.
    """

    ways: Array
    cannot_tell: Array
    assistance: Array
    explained: float = 0.0

    @property
    def answered(self) -> Array:
        """Cells of each stratum with an answer other than "cannot tell", (9,)."""
        return np.asarray(self.ways.sum(axis=1))


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
        raise AuditError(f"cell {foreign[0]} was not drawn", "answer the cells of this audit only")
    for row, question in asked.items():
        if row not in given:
            raise AuditError(f"cell {row} has no answer", "answer every cell, 'cannot tell' included")
        counts = given[row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
        if counts and question.asks_stained and given[row].stained is None:
            raise AuditError(f"cell {row} has no answer about its staining", "answer yes or no")
    return given


def told_by(frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer]) -> Told:
    """Return how the answered cells enter the CPS, "cannot tell" left out."""
    associated = _associated(frame, given)
    rows, ways = [], []
    for question in draw.questions:
        answer = given[question.row]
        if answer.answer is not CellAnswer.CANNOT_TELL:
            stained = bool(answer.stained) and bool(ASKED[question.stratum])
            rows.append(question.row)
            ways.append(_way_of(answer.answer, stained, associated[question.row]))
    return Told(np.array(rows, dtype=np.int64), np.array(ways, dtype=np.float64).reshape(-1, 4))


def tally_of(frame: AuditFrame, draw: AuditDraw, told: Told) -> Tally:
    """Return the answers of each stratum summed up."""
    ways = sums_by_stratum(frame.stratum[told.rows], told.ways)
    drawn = np.bincount([question.stratum for question in draw.questions], minlength=len(STRATA))
    return Tally(ways, drawn - ways.sum(axis=1), np.zeros_like(ways))


def _way_of(answer: CellAnswer, stained: bool, associated: bool) -> Array:  # noqa: FBT001
    if answer is CellAnswer.TUMOUR:
        return STAINED_TUMOUR if stained else UNSTAINED_TUMOUR
    if answer is CellAnswer.IMMUNE and stained and associated:
        return STAINED_IMMUNE
    return UNCOUNTED


def _associated(frame: AuditFrame, given: Mapping[int, AuditAnswer]) -> Mapping[int, bool]:
    """Say of each answered cell whether it lies near tumour, by the answers where there are any."""
    kind = countable_kind(frame.cells).copy()
    rows = np.fromiter(given, dtype=np.int64, count=len(given))
    for row, answer in given.items():
        if answer.answer is not CellAnswer.CANNOT_TELL:
            kind[row] = Kind.TUMOUR if answer.answer is CellAnswer.TUMOUR else Kind.OTHER
    cells = replace(frame.cells, kind=kind, region=np.zeros_like(frame.cells.region))
    asked = np.zeros(len(cells), dtype=bool)
    asked[rows] = True
    near = near_tumour(cells, asked, frame.reach_um)
    return {int(row): bool(near[row]) for row in rows}


def shares_of(frame: AuditFrame, tally: Tally) -> Array:
    """Return the estimated share of each way in each stratum, the network's call as a weak prior.

    The prior fades as a stratum is answered whole.
    """
    unasked = 1.0 - tally.answered / np.maximum(frame.sizes, 1.0)
    weight = _PRIOR_ANSWERS * np.clip(unasked, 0.0, 1.0)
    total = tally.answered + weight
    prior = weight[:, None] * frame.mean_of(frame.called)
    direct = (tally.ways + prior) / np.where(total > 0, total, 1.0)[:, None]
    return np.asarray(direct + tally.assistance)


def totals_of(frame: AuditFrame, tally: Tally) -> Array:
    """Return the estimated cells of each way, (4,)."""
    return np.asarray(frame.sizes @ shares_of(frame, tally))


def cps_of(totals: Array) -> float:
    """Return the CPS of estimated cells, uncapped; infinite without a viable tumour cell."""
    denominator = float(totals @ IN_DENOMINATOR)
    return 100.0 * float(totals @ IN_NUMERATOR) / denominator if denominator > 0 else np.inf


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


def draw_squares(cells: CellTable, number: int, seed: int) -> tuple[MissedSquare, ...]:
    """Draw squares of `SQUARE_UM` at random among those that contain a found cell."""
    if number <= 0:
        return ()
    side_px = SQUARE_UM / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    occupied = np.unique(place)
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
    """Return by how much missed cells change the logarithm of the CPS, and the standard error of that."""
    if not squares:
        return 0.0, 0.0
    positive = sum((square.tumour_stained or 0) + (square.immune_stained or 0) for square in squares)
    tumour = sum((square.tumour_stained or 0) + (square.tumour_unstained or 0) for square in squares)
    in_numerator, in_denominator = (sum(each) for each in zip(*found, strict=True))
    base = max(in_denominator, 1.0)
    of_tumour = tumour / base
    weight = in_numerator + _SQUARE_PRIOR_CELLS
    of_positive = (positive + _SQUARE_PRIOR_CELLS * of_tumour) / weight
    error = np.hypot(
        np.sqrt(of_positive / weight) / (1 + of_positive), np.sqrt(of_tumour / base) / (1 + of_tumour)
    )
    return float(np.log1p(of_positive) - np.log1p(of_tumour)), float(error)
