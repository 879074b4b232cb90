"""The cells of a slide as a person left them: edits, accepted fields and regions over the network's table.

Knows no files. What a person decided about a cell is certain and carries no term for the network's errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cxpath.data import CellTable, Kind, Region, RegionMeaning, Regions, Subkind, TissueRegion
from cxpath.review.events import ReviewError
from cxpath.review.state import ReviewState
from cxpath.scores import (
    DEFAULT_QUESTIONS,
    NEVER_COUNTED,
    AuditError,
    AuditFrame,
    ScoringSettings,
    audit_frame,
    countable_kind,
    places_on_lattice,
)

REMOVED = 3
"""Class of a cell that a person called no cell; the others are those of `Kind`."""

CONFIRMED = "confirmed"
"""Key of an edit by which a person says that the network's call is right."""

_CHECK = "check the record with cxpath review verify"

CLASS_NAMES = (*(kind.name.lower() for kind in Kind), "not a cell")

REGION_USES = {
    "include": RegionMeaning.INCLUDE,
    "exclude": RegionMeaning.EXCLUDE,
    "not invasive tumour": RegionMeaning.BENIGN,
}
"""What a region drawn in a review is for."""


@dataclass(frozen=True, eq=False)
class ReviewedCells:
    """The network's cells and those that a person added, as they are now; N of them, removed ones included.

    Parameters
    ----------
    table : CellTable
        With certain classes and staining where a person decided.
    network_cells : int
        The first so many are the network's; the rest was added.
    removed : bool array, (N,)
        Cells that a person called none.
    edited : bool array, (N,)
        Cells that a person edited, removed or added.
    accepted : bool array, (N,)
        Cells in a field that a person accepted.
    inside : bool array, (N,)
        Cells where to score by the regions that a person drew.
    """

    table: CellTable
    network_cells: int
    removed: NDArray[np.bool_]
    edited: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which cells the score is made of."""
        return self.inside & ~self.removed

    @property
    def by_person(self) -> NDArray[np.bool_]:
        """Which cells a person decided."""
        return self.edited | self.accepted

    def to_score(self) -> tuple[CellTable, NDArray[np.bool_]]:
        """Return the table to score, and which of its cells a person decided: what `score_cells` takes."""
        scored = self.scored
        return self.table.take(scored), self.by_person[scored]


def reviewed_cells(
    network: CellTable,
    state: ReviewState,
    stained_threshold: float,
    field_um: float,
    network_inside: NDArray[np.bool_] | None = None,
) -> ReviewedCells:
    """Lay what a person decided over the network's cells.

    Parameters
    ----------
    network : CellTable
    state : ReviewState
    stained_threshold : float
        A cell is stained from this probability on.
    field_um : float
        Side of the fields whose numbers `state` states.
    network_inside : bool array, optional
        What `inside_regions` says of the network's cells and the regions of `state`, where that is known.

    Raises
    ------
    ReviewError
        When an edit is of a cell that is not there, or says what no edit says.
    """
    rows, class_of, stained = _edited_columns(network, state, stained_threshold)
    table = _with_added(network, state)
    edited, removed = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    edited[rows] = True
    removed[len(network) :] = True  # an addition that was taken back keeps its number
    removed[rows] = class_of == REMOVED
    accepted = _in_fields(table, state.fields, field_um)
    table = _decided(table, rows, class_of, stained)
    table = _certain(table, edited | accepted, stained_threshold)
    inside = _inside(table, len(network), state, network_inside)
    return ReviewedCells(table, len(network), removed, edited, accepted, inside)


def _edited_columns(
    network: CellTable, state: ReviewState, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return rows, classes and staining of all edits; one that says what is so, unconfirmed, is none."""
    values, number = state.edits.values(), len(state.edits)
    rows = np.fromiter(state.edits, dtype=np.int64, count=number)
    class_of = np.fromiter((_class_of(value) for value in values), np.uint8, number)
    stained = np.fromiter((_stained(value) for value in values), bool, number)
    says_more = np.fromiter((value.get(CONFIRMED) is True for value in values), bool, number)
    own = rows < len(network)
    before = network.take(rows[own])
    same = countable_kind(before) == class_of[own]
    same &= (before.stained >= threshold) == stained[own]
    says_more[own] |= ~same
    says_more[~own] = True
    return rows[says_more], class_of[says_more], stained[says_more]


def _stained(value: Mapping[str, Any]) -> bool:
    stated = value.get("stained", False if value.get("removed") is True else None)
    if not isinstance(stated, bool):
        raise ReviewError(f"an edit states the staining {stated!r}", _CHECK)
    return stated


def _class_of(value: Mapping[str, Any]) -> int:
    if value.get("removed") is True:
        return REMOVED
    name = value.get("class")
    if name not in CLASS_NAMES[:REMOVED]:
        raise ReviewError(f"an edit names class {name!r}", _CHECK)
    return CLASS_NAMES.index(name)


def _place_of(row: int, value: Mapping[str, Any] | None) -> tuple[float, float]:
    """Return where a cell was added; a removed one may have lost its place."""
    place = (value or {}).get("x_px"), (value or {}).get("y_px")
    if all(isinstance(one, int | float) for one in place):
        return float(place[0]), float(place[1])  # type: ignore[arg-type]
    if value is None or value.get("removed") is True:
        return 0.0, 0.0
    raise ReviewError(f"cell {row} was added without a place", _CHECK)


def _with_added(network: CellTable, state: ReviewState) -> CellTable:
    number = max(max(state.edits, default=-1) + 1 - len(network), 0)
    if not number:
        return network
    rows = range(len(network), len(network) + number)
    x_px, y_px = zip(*(_place_of(row, state.edits.get(row)) for row in rows), strict=True)
    kind = np.full(number, Kind.OTHER)
    added = CellTable.from_columns(network.facts, x_px=x_px, y_px=y_px, kind=kind, stained=np.zeros(number))
    return CellTable.concatenate([network, added])


def _decided(
    table: CellTable, rows: NDArray[np.int64], class_of: NDArray[np.uint8], stained: NDArray[np.bool_]
) -> CellTable:
    """Return the cells with the class and the staining that a person gave them.

    Where the network thought of necrosis or of benign epithelium, a person who names a tumour or an immune
    cell has said that it counts; what kind of immune cell it is, he has not said.
    """
    if not len(rows):
        return table
    columns = {name: getattr(table, name).copy() for name in ("kind", "subkind", "region", "stained")}
    held = class_of != REMOVED
    rows, class_of, stained = rows[held], class_of[held], stained[held]
    changed = table.kind[rows] != class_of
    columns["kind"][rows] = class_of
    columns["subkind"][rows[changed]] = Subkind.UNKNOWN
    counts = (class_of != Kind.OTHER) & np.isin(table.region[rows], NEVER_COUNTED)
    columns["region"][rows[counts]] = TissueRegion.UNKNOWN
    columns["stained"][rows] = stained
    return replace(table, **columns)


def _certain(table: CellTable, chosen: NDArray[np.bool_], threshold: float) -> CellTable:
    """Return the cells with certain class and staining where a person decided."""
    if not chosen.any():
        return table
    columns = {name: getattr(table, name).copy() for name in ("p_tumour", "p_immune", "p_other", "stained")}
    for kind, name in zip(Kind, ("p_tumour", "p_immune", "p_other"), strict=True):
        columns[name][chosen] = table.kind[chosen] == kind
    columns["stained"][chosen] = table.stained[chosen] >= threshold
    return replace(table, **columns)


def _in_fields(table: CellTable, fields: frozenset[int], field_um: float) -> NDArray[np.bool_]:
    if not fields:
        return np.zeros(len(table), dtype=bool)
    place, _ = places_on_lattice(table, field_um / table.facts.mpp)
    return np.isin(place, np.fromiter(fields, dtype=np.int64, count=len(fields)))


def regions_of(state: ReviewState) -> Regions:
    """Return the regions that a person drew in this review.

    Raises
    ------
    ReviewError
        When one is none.
    """
    return _regions(state.region_values)


def _regions(values: Sequence[Mapping[str, Any]]) -> Regions:
    return Regions(tuple(_region(number, value) for number, value in enumerate(values, start=1)))


def frame_to_draw(
    network: CellTable, settings: ScoringSettings, state: ReviewState, questions: int = DEFAULT_QUESTIONS
) -> AuditFrame:
    """Return the frame that an audit is drawn from: the cells where to score by the regions as they are.

    Parameters
    ----------
    network : CellTable
    settings : ScoringSettings
    state : ReviewState
    questions : int
        How many cells are to be asked about.

    Raises
    ------
    AuditError
        When no cell is there.
    """
    inside = inside_regions(network, regions_of(state))
    return audit_frame(network, settings, inside, questions=questions)


def frame_of_audit(network: CellTable, settings: ScoringSettings, state: ReviewState) -> AuditFrame:
    """Return the frame that the answers of the drawn audit speak for: where to score by the regions now.

    The answers inside smaller regions are a random sample of those, too.

    Raises
    ------
    AuditError
        When there is no audit, or the regions contain cells that could not be drawn.
    """
    if state.audit is None:
        raise AuditError("there is no audit", "start one first")
    inside = inside_regions(network, regions_of(state))
    if state.region_values != state.audit.regions:
        drawable = inside_regions(network, _regions(state.audit.regions))
        if (inside & ~drawable).any():
            raise AuditError(
                "the regions were enlarged after the audit was sampled",
                "sample another audit with --seed, or undo the change",
            )
    return audit_frame(network, settings, inside, state.audit.draw.near_from)


def _region(number: int, value: Mapping[str, Any]) -> Region:
    use = value["use"]
    if use not in REGION_USES:
        raise ReviewError(f"region {number}: {use!r} is not a use of a region", _CHECK)
    return Region.meaning_of(use, REGION_USES[use], region_outline(value["points"]))


def region_outline(points: Any) -> shapely.Polygon | shapely.MultiPolygon:
    """Return the area inside a line drawn by hand; where it crosses itself, all that it encloses.

    Raises
    ------
    ReviewError
        When it encloses nothing.
    """
    try:
        shape = shapely.make_valid(shapely.Polygon([(float(x), float(y)) for x, y in points]))
    except (TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise ReviewError("a region is not a line of three points or more", "draw it again") from error
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon) and part.area > 0]
    if not parts or not np.isfinite(shape.bounds).all():
        raise ReviewError("a region encloses nothing", "draw it again")
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def inside_regions(table: CellTable, regions: Regions) -> NDArray[np.bool_]:
    """Say of each cell whether it lies where to score."""
    facts = table.facts
    return regions.contains(table.x_px, table.y_px, facts.width_px, facts.height_px)


def _inside(
    table: CellTable, network_cells: int, state: ReviewState, known: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    regions = regions_of(state)
    if known is None or not regions:
        return inside_regions(table, regions)
    added = table.take(np.arange(network_cells, len(table)))
    return np.concatenate([known, inside_regions(added, regions)])
