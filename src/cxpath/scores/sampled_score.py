"""A slide's score from a sample of its tiles: counts are estimates of what the whole slide holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.adequacy import why_inadequate
from cxpath.scores.countable import countable_kind
from cxpath.scores.counting import CellCounts, tally_cells
from cxpath.scores.cps import MAXIMUM
from cxpath.scores.cutoffs import Cutoff
from cxpath.scores.field_sample import FieldSample
from cxpath.scores.grouped_counts import GroupedCounts, grouped_counts
from cxpath.scores.other_scores import ASSAY_BOUND
from cxpath.scores.score_cells import counted_within, estimate_cps, estimate_tps, immune_distance_um
from cxpath.scores.score_draws import ScoreDraws, draw_scores
from cxpath.scores.settings import ScoringSettings, slide_error_of, threshold_of
from cxpath.scores.slide_score import SlideScore
from cxpath.values.cell_table import CellTable, Kind

METHOD = "; sampling: stratified Horvitz-Thompson/1"
NOT_FROM_A_SAMPLE = "only a sample of the slide was read: score it whole"


@dataclass(frozen=True, eq=False)
class SampledTiles:
    """Which tiles a slide could be read in, and which were drawn.

    Parameters
    ----------
    tile : int array, (F,)
        Numbers of the tiles with tissue to score; cells of others are context and count for nothing.
    stratum : int array, (F,)
    read : bool array, (F,)
    """

    tile: NDArray[np.int64]
    stratum: NDArray[np.int64]
    read: NDArray[np.bool_]

    def field_of(self, cells: CellTable) -> NDArray[np.int64]:
        """Return the field that each cell counts in, (N,); F where it counts in none."""
        place = np.full(max(int(self.tile.max()), int(cells.tile.max(initial=0))) + 1, len(self.tile))
        place[self.tile[self.read]] = np.flatnonzero(self.read)
        return np.where(cells.tile < 0, len(self.tile), place[cells.tile])


def sample_of(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> FieldSample:
    """Count what was read so far."""
    counts = _field_counts(cells, tiles, settings)
    return FieldSample(tiles.stratum, tiles.read, counts.positive, counts.tumour)


def unassociated(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> NDArray[np.bool_]:
    """Say which cells of drawn tiles would count if tumour lay near them, perhaps where nothing was read."""
    positive = (cells.stained >= threshold_of(settings)) & (countable_kind(cells) == Kind.IMMUNE)
    drawn = tiles.field_of(cells) < len(tiles.tile)
    return np.asarray(positive & ~_counted(cells, settings) & drawn, dtype=np.bool_)


def score_sample(
    cells: CellTable,
    tiles: SampledTiles,
    settings: ScoringSettings,
    cutoffs: Sequence[Cutoff] = (),
    already_because: Sequence[str] = (),
) -> SlideScore:
    """Score a slide of which only some tiles were read.

    Parameters
    ----------
    cells : CellTable
        Of the drawn tiles, and of others read only to see whether tumour lies near.
    tiles : SampledTiles
    settings : ScoringSettings
    cutoffs : sequence of Cutoff
    already_because : sequence of str
        Reasons found earlier that make the slide not evaluable.

    Returns
    -------
    SlideScore
        Its counts are estimates for the whole slide, to whole cells; both intervals carry the doubt of
        sampling. What needs the place of every cell is left out.
    """
    own = tiles.field_of(cells) < len(tiles.tile)
    counted, threshold = _counted(cells, settings), threshold_of(settings)
    seen = tally_cells(cells.take(own), threshold, counted[own])
    because = (*already_because, *why_inadequate(seen, settings.minimum_tumour_cells))
    fields = _field_counts(cells, tiles, settings)
    sample = FieldSample(tiles.stratum, tiles.read, fields.positive, fields.tumour)
    counts = _estimated_counts(cells, counted, sample, tiles, threshold)
    missing = dict.fromkeys((*ASSAY_BOUND, "h_score"), NOT_FROM_A_SAMPLE)
    if because:
        return SlideScore(settings.minimum_tumour_cells, because, counts, null_because=missing)
    expanded = GroupedCounts(
        *(np.rint(sample.weights * column)[tiles.read].astype(np.int64) for column in vars(fields).values())
    )
    cps_draws, tps_draws = draw_scores([expanded], slide_error_of(settings))
    of_tumour = FieldSample(tiles.stratum, tiles.read, fields.tumour_positive, fields.tumour)
    cps = estimate_cps(counts, _widened(cps_draws, sample), settings, cutoffs)
    tps = estimate_tps(counts, _widened(tps_draws, of_tumour), settings)
    return SlideScore(
        settings.minimum_tumour_cells,
        counts=counts,
        cps=replace(cps, method=cps.method + METHOD) if cps else None,
        tps=replace(tps, method=tps.method + METHOD) if tps else None,
        null_because=missing,
    )


def _counted(cells: CellTable, settings: ScoringSettings) -> NDArray[np.bool_]:
    reach_um = settings.association_distance_um
    return counted_within(cells, threshold_of(settings), immune_distance_um(cells, reach_um), reach_um)


def _field_counts(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> GroupedCounts:
    number = len(tiles.tile)
    field = tiles.field_of(cells)
    counted = _counted(cells, settings)
    found = grouped_counts(cells, threshold_of(settings), counted, field, number + 1)
    return GroupedCounts(*(column[:number] for column in vars(found).values()))


def _estimated_counts(
    cells: CellTable,
    counted: NDArray[np.bool_],
    sample: FieldSample,
    tiles: SampledTiles,
    threshold: float,
) -> CellCounts:
    weight = np.append(sample.weights, 0.0)[tiles.field_of(cells)]
    kind, positive = countable_kind(cells), cells.stained >= threshold
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE

    def total(chosen: NDArray[np.bool_]) -> int:
        return round(float(weight[chosen].sum()))

    return CellCounts(
        tumour_positive=total(tumour & positive),
        tumour_negative=total(tumour & ~positive),
        immune_positive=total(immune & counted),
        immune_negative=total(immune & ~positive),
        immune_positive_not_associated=total(immune & positive & ~counted),
        other=total(kind == Kind.OTHER),
    )


def _widened(draws: ScoreDraws, sample: FieldSample) -> ScoreDraws:
    """Add to the slide's draws that only a sample was read; fields as a sample of the tumour hold it already.

    Where no positive cell was seen, both get what may lie in unread fields.
    """
    drawn = sample.draws(len(draws.slide))
    if sample.total_positive > 0:
        return ScoreDraws(np.minimum(MAXIMUM, draws.slide * drawn / sample.total_positive), draws.tissue)
    unseen = 100.0 * drawn / max(sample.total_tumour, 1.0)
    return ScoreDraws(np.minimum(MAXIMUM, draws.slide + unseen), np.minimum(MAXIMUM, draws.tissue + unseen))
