"""The scores besides CPS and TPS (IC, TAP, H-score), their registry, and what an assay is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from cxpath.data import CellTable, Kind, Settings, TissueAreas
from cxpath.errors import AssayError
from cxpath.scores.counts import CalledCells, countable_kind, in_uncounted_region
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.scores.settings import Cutoff, ScoringSettings

# Tumour area in squares, and which share of it stained cells take: the ground of `ic_area` and TAP.
#
# A reader estimates by eye which part of the tumour area is brown. Here every cell takes an equal share of
# the small square it lies in, and the tumour area is the squares that contain cells and lie with the tumour.
# So the numbers follow from cells alone, whatever measured them; no cell outline is needed.


SQUARE_UM = 50.0
"""Side of a square: some ten cells wide enough to mean a share, fine enough to follow nests."""


@dataclass(frozen=True)
class TumourArea:
    """The tumour area and what stained cells take of it.

    Parameters
    ----------
    area_mm2 : float
        Squares with cells, not of necrosis or benign epithelium alone, within the association distance of
        a viable tumour cell.
    immune_positive_mm2, tumour_positive_mm2 : float
        Area that counted stained immune cells, and stained tumour cells, take.
    """

    area_mm2: float
    immune_positive_mm2: float
    tumour_positive_mm2: float


def tumour_area(
    called: CalledCells, association_distance_um: float, square_um: float = SQUARE_UM
) -> TumourArea:
    """Measure the tumour area in squares.

    Parameters
    ----------
    called : CalledCells
    association_distance_um : float
        Squares whose centre lies this near to a square with tumour belong to the tumour area.
    square_um : float
    """
    squares = lay_fields(called, square_um)
    apart = in_uncounted_region(called.cells)
    in_square = np.bincount(squares.field_of_cell[~apart], minlength=len(squares.left_px))
    with_tumour = squares.counts.tumour > 0
    if not with_tumour.any():
        return TumourArea(0.0, 0.0, 0.0)
    near = _within_reach(squares, with_tumour, association_distance_um / square_um)
    near &= in_square > 0
    one_mm2 = (square_um / 1000.0) ** 2

    def taken(positive: NDArray[np.int64]) -> float:
        return one_mm2 * float((positive[near] / in_square[near]).sum())

    return TumourArea(
        one_mm2 * int(near.sum()),
        taken(squares.counts.immune_positive),
        taken(squares.counts.tumour_positive),
    )


def _within_reach(squares: FieldLattice, with_tumour: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Say which squares lie within `reach` squares, centre to centre, of one that contains tumour."""
    across = np.rint(squares.left_px / squares.side_px).astype(np.int64)
    down = np.rint(squares.top_px / squares.side_px).astype(np.int64)
    grid = np.ones((int(down.max()) + 1, int(across.max()) + 1), dtype=bool)
    grid[down[with_tumour], across[with_tumour]] = False
    return np.asarray(ndimage.distance_transform_edt(grid)[down, across] <= reach * (1 + 1e-9))


# H-score of tumour cells: 1 x % weak + 2 x % moderate + 3 x % strong, 0-300 (clinical brief 3.3).
#
# The cuts between 1+, 2+ and 3+ are a lab's own; without them there is no H-score.


GRADES = ("0", "1+", "2+", "3+")


class Compartment(StrEnum):
    """Where a marker is read."""

    MEMBRANE = "membrane"
    CYTOPLASM = "cytoplasm"


def h_score(
    cells: CellTable,
    intensity_thresholds_od: tuple[float, float, float],
    compartment: Compartment = Compartment.MEMBRANE,
) -> float | None:
    """Return the H-score over all tumour cells, or None where none was measured.

    Parameters
    ----------
    cells : CellTable
    intensity_thresholds_od : tuple of float
        Optical densities from which a cell is 1+, 2+ and 3+, rising.
    compartment : Compartment
    """
    percent = grade_percentages(cells, intensity_thresholds_od, compartment)
    return None if percent is None else sum(grade * share for grade, share in enumerate(percent.values()))


def grade_percentages(
    cells: CellTable,
    intensity_thresholds_od: tuple[float, float, float],
    compartment: Compartment = Compartment.MEMBRANE,
) -> dict[str, float] | None:
    """Return the percentage of tumour cells in each grade, together 100; None where none was measured.

    Parameters
    ----------
    cells : CellTable
    intensity_thresholds_od : tuple of float
        Optical densities from which a cell is 1+, 2+ and 3+, rising.
    compartment : Compartment

    Returns
    -------
    dict
        By "0", "1+", "2+" and "3+", in this order.
    """
    is_membrane = compartment is Compartment.MEMBRANE
    density = cells.dab_membrane_od if is_membrane else cells.dab_cytoplasm_od
    own = density[countable_kind(cells) == Kind.TUMOUR]
    measured = own[np.isfinite(own)]
    if measured.size == 0:
        return None
    grades = np.searchsorted(np.asarray(intensity_thresholds_od), measured, side="right")
    shares = 100.0 * np.bincount(grades, minlength=len(GRADES)) / measured.size
    return dict(zip(GRADES, map(float, shares), strict=True))


# IC as percent of tumour area: the part of the tumour area that stained immune cells take, x 100.
#
# It resembles the IC score of SP142 (clinical brief 1.3, from memory, high confidence; not for cervix), and
# is not the same: here the stained immune cells are lymphocytes and macrophages alone, since these are what
# the network recognises, while the manufacturer's IC contains dendritic cells and granulocytes too (methods
# text that quotes the Ventana guideline, bio-protocol.org/bio101/r9855594). Where those are stained the
# value is lower than a reader's. A reader estimates the area by eye; how it is counted here says
# `area_scores`. Not the share of immune cells: see `ic_cells`.


def immune_area_share(area: TumourArea) -> float | None:
    """Return the percent of the tumour area taken by counted stained immune cells; None without area."""
    return 100.0 * area.immune_positive_mm2 / area.area_mm2 if area.area_mm2 > 0 else None


# IC as percent of immune cells: 100 x I+ / (I+ + I-), lymphocytes and macrophages with the tumour.
#
# One of several definitions in use (clinical brief 1.3, "ICS / IC%: require the user to choose", from
# memory); hence its own name. Not like the IC of SP142, a share of area: see `ic_area`.


def immune_cell_share(immune_positive: int, immune: int) -> float | None:
    """Return the percent of the tumour's lymphocytes and macrophages that are stained; None without any.

    Parameters
    ----------
    immune_positive : int
        Stained ones with the tumour.
    immune : int
        All with the tumour, stained or not.
    """
    return 100.0 * immune_positive / immune if immune else None


# TAP, tumour area positivity: the part of the tumour area that stained tumour or immune cells take, x 100.
#
# Clinical brief 1.3: tumour and desmoplastic stroma, estimated by eye, read with SP263 in gastric and
# oesophageal cancer [S8]. How it is counted here says `area_scores`.


def tumour_area_positivity(area: TumourArea) -> float | None:
    """Return the percent of the tumour area taken by stained tumour and immune cells; None without area."""
    taken = area.immune_positive_mm2 + area.tumour_positive_mm2
    return 100.0 * taken / area.area_mm2 if area.area_mm2 > 0 else None


# The scores besides CPS and TPS: one function and one entry each. Report, JSON, cohort and assays iterate.


NO_AREA = "the scored tissue area is not known: score a slide, not cells alone"
NO_TUMOUR_AREA = "no tumour area was found"
NO_IMMUNE = "no lymphocyte or macrophage lies with the tumour"
NO_THRESHOLDS = "the laboratory has set no limits between 1+, 2+ and 3+: set scoring.intensity_thresholds_od"
NO_MEMBRANE = "no membrane was measured on a tumour cell"


@dataclass(frozen=True, eq=False)
class ScoreBasis:
    """What the scores besides CPS and TPS are made of.

    Parameters
    ----------
    called : CalledCells
    settings : ScoringSettings
    immune_negative : int
        Unstained lymphocytes and macrophages with the tumour.
    areas : TissueAreas or None
        Where it is None, scores of area have no value.
    """

    called: CalledCells
    settings: ScoringSettings
    immune_negative: int
    areas: TissueAreas | None

    @cached_property
    def area(self) -> TumourArea | None:
        """The tumour area; one that a pathologist drew as the tumour bed takes its place."""
        if self.areas is None:
            return None
        found = tumour_area(self.called, self.settings.association_distance_um)
        area_mm2 = self.areas.tumour_bed_mm2 or min(found.area_mm2, self.areas.scored_mm2)
        taken = found.immune_positive_mm2 + found.tumour_positive_mm2
        return TumourArea(max(area_mm2, taken), found.immune_positive_mm2, found.tumour_positive_mm2)


@dataclass(frozen=True)
class ScoreDefinition:
    """One score besides CPS and TPS.

    Parameters
    ----------
    key : str
        Its name in `score.json`, in the cohort and in assay files.
    label : str
        As the report prints it.
    compute : callable
        Takes a `ScoreBasis`; returns the value, or why there is none.
    assay_bound : bool
        Made only where the assay supports it, or for research.
    """

    key: str
    label: str
    compute: Callable[[ScoreBasis], float | str]
    assay_bound: bool


OTHER_SCORES: dict[str, ScoreDefinition] = {}
"""By key, in the order in which they are shown."""

Compute = Callable[[ScoreBasis], float | str]


def score(key: str, label: str, *, assay_bound: bool) -> Callable[[Compute], Compute]:
    """Register a score besides CPS and TPS."""

    def registered(compute: Compute) -> Compute:
        OTHER_SCORES[key] = ScoreDefinition(key, label, compute, assay_bound)
        return compute

    return registered


@score("ic_area", "IC, share of tumour area that stained immune cells cover (%)", assay_bound=True)
def _ic_area(basis: ScoreBasis) -> float | str:
    if basis.area is None:
        return NO_AREA
    value = immune_area_share(basis.area)
    return NO_TUMOUR_AREA if value is None else value


@score("ic_cells", "IC, share of immune cells (%)", assay_bound=True)
def _ic_cells(basis: ScoreBasis) -> float | str:
    immune = countable_kind(basis.called.cells) == Kind.IMMUNE
    positive = int(np.count_nonzero(basis.called.counted & immune))
    value = immune_cell_share(positive, positive + basis.immune_negative)
    return NO_IMMUNE if value is None else value


@score("tap", "TAP (%)", assay_bound=True)
def _tap(basis: ScoreBasis) -> float | str:
    if basis.area is None:
        return NO_AREA
    value = tumour_area_positivity(basis.area)
    return NO_TUMOUR_AREA if value is None else value


@score("h_score", "H-score (0 to 300)", assay_bound=False)
def _h_score(basis: ScoreBasis) -> float | str:
    thresholds = basis.settings.intensity_thresholds_od
    if not thresholds:
        return NO_THRESHOLDS
    value = h_score(basis.called.cells, thresholds)
    return NO_MEMBRANE if value is None else value


ASSAY_BOUND = tuple(one.key for one in OTHER_SCORES.values() if one.assay_bound)
"""Scores that are made only where the assay supports them, or for research."""


def other_scores(basis: ScoreBasis, refused: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the value of every registered score that has one, and why the others have none.

    Parameters
    ----------
    basis : ScoreBasis
    refused : mapping of str to str
        Scores not to make, with the reason.
    """
    made = {
        key: refused[key] if key in refused and one.assay_bound else one.compute(basis)
        for key, one in OTHER_SCORES.items()
    }
    values = {key: value for key, value in made.items() if not isinstance(value, str)}
    return values, {key: why for key, why in made.items() if isinstance(why, str)}


def immune_negative_associated(called: CalledCells, distance_um: NDArray[np.float64], reach_um: float) -> int:
    """Count unstained immune cells with the tumour; a cell of unknown staining is not stained."""
    return int(np.count_nonzero(~called.positive & (distance_um <= reach_um * (1 + 1e-9))))


# What an assay (antibody clone and platform) is for: which scores and cut-offs, in which tumour.

_SHOWN = {"cps": "CPS", "tps": "TPS"} | {key: one.label for key, one in OTHER_SCORES.items()}


class AssayCutoff(Settings):
    """A cut-off with where it comes from."""

    value: float
    basis: str
    source: str


class AssayScore(Settings):
    """A score that the assay supports for one tumour."""

    tumour: str
    score: str
    supported: bool | Literal["unknown"]
    """"unknown" where no source was found that says so; it is not support."""
    source: str
    certainty: str
    cutoffs: tuple[AssayCutoff, ...] = ()


class AssayCondition(Settings):
    """Something that must be true on the bench for the assay's scores to mean anything; not checked here."""

    text: str
    source: str
    certainty: str


class Assay(Settings):
    """One file of `configs/assays`."""

    name: str
    clone: str
    platform: str = "unknown"
    as_of: str
    scores: tuple[AssayScore, ...] = Field(default=())
    conditions: tuple[AssayCondition, ...] = ()

    def cutoffs(self, score: str, tumour: str) -> tuple[Cutoff, ...]:
        """Return the cut-offs stated for a score in a tumour; empty where none is."""
        entry = self._entry(score, tumour)
        return tuple(Cutoff(cut.value, cut.basis) for cut in entry.cutoffs) if entry else ()

    def supports(self, score: str, tumour: str) -> bool:
        """Say whether the assay's sources support the score in that tumour; unknown is not support."""
        entry = self._entry(score, tumour)
        return entry is not None and entry.supported is True

    def require(self, score: str, tumour: str) -> None:
        """Refuse a score that the assay does not support.

        Raises
        ------
        AssayError
            With the reason, and `--research` as the way out.
        """
        if not self.supports(score, tumour):
            raise AssayError(
                self.why_unsupported(score, tumour),
                "pass --research to compute it nevertheless, for research only",
            )

    def why_unsupported(self, score: str, tumour: str) -> str:
        """Return the reason, in words, why a score that is not supported is not."""
        entry = self._entry(score, tumour)
        reason = entry.source if entry else "no source in its assay file states it"
        return f"assay {self.name} does not support {_SHOWN.get(score, score)} in {tumour}: {reason}"

    def refusals(self, scores: Iterable[str], tumour: str) -> dict[str, str]:
        """Return those of the scores that are not supported, with the reason."""
        return {
            name: self.why_unsupported(name, tumour) for name in scores if not self.supports(name, tumour)
        }

    def _entry(self, score: str, tumour: str) -> AssayScore | None:
        return next((item for item in self.scores if item.score == score and item.tumour == tumour), None)
