"""Evaluate a model on slides of known CPS that are put together from restained tiles of validation patients.

Each slide has one staining and one scanner, as a real one has, and tiles of one data set. What is counted is
what synthetic slides are counted by, so that the slide error of a model can be measured on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import match_points
from cxpath.data import Kind, StainBasis
from cxpath.documents import CountedMosaic, Figure, SetSummary, Skipped
from cxpath.errors import TissueTileError
from cxpath.evaluation.classifier import Calls, CellClassifier, ResultsCache, picture_stains
from cxpath.evaluation.real import Findings, Watcher
from cxpath.evaluation.restained import tiles_to_evaluate
from cxpath.evaluation.settings import RestainedSetSettings
from cxpath.evaluation.synthetic import (
    count_rows,
    of_scores,
    pooled_figure,
    right_side,
    score_concordance,
    score_rows,
)
from cxpath.metrics import Origin, Rows, Statistic, binned, macro_f1, measured, score_class, tally
from cxpath.synth import (
    KIND_OF_LABEL,
    SOURCES,
    Painting,
    PreparedTile,
    RestainedTile,
    RestainRecipe,
    TissueSource,
    prepare,
    random_restain,
)
from cxpath.synth.restain import restain

SET_NAME = "restained_slides"
ARM = "restained"
"""By which `scripts.studies.fit_slide_error --arm` finds these slides among the kept results."""

_STREAM = 77
"""Keeps these random numbers apart from those of the single tiles."""
_PAINTINGS = (Painting.USUAL, Painting.RESERVED)


@dataclass(frozen=True)
class PlannedMosaic:
    """One slide before it is painted.

    Parameters
    ----------
    name : str
    source : TissueSource
    number : int
        Seeds its staining, scanner, choice of tiles and painting.
    painting : Painting
        Every second slide is painted in the way that no training uses.
    """

    name: str
    source: TissueSource
    number: int
    painting: Painting


def plan_mosaics(settings: RestainedSetSettings) -> list[PlannedMosaic]:
    """Return the slides: data sets in turn, and both ways of painting for each."""
    planned = []
    for number in range(settings.mosaic.slides):
        source = SOURCES[number % len(SOURCES)]
        painting = _PAINTINGS[number // len(SOURCES) % len(_PAINTINGS)]
        planned.append(PlannedMosaic(f"{source.name}-{number:03d}", source, number, painting))
    return planned


def mosaic_tiles(
    planned: PlannedMosaic, prepared: Sequence[PreparedTile], settings: RestainedSetSettings
) -> Iterator[RestainedTile]:
    """Yield the restained tiles of one slide; the same on every machine.

    Parameters
    ----------
    planned : PlannedMosaic
    prepared : sequence of PreparedTile
        Of its data set; chosen from with replacement.
    settings : RestainedSetSettings
    """
    rng = np.random.default_rng([settings.seed, _STREAM, planned.number])
    recipe = random_restain(rng, painting=planned.painting, artefacts=False)
    for _ in range(settings.mosaic.tiles):
        yield restain(prepared[int(rng.integers(len(prepared)))], _uneven(recipe, rng), rng)


def _uneven(recipe: RestainRecipe, rng: np.random.Generator) -> RestainRecipe:
    """Return a slide's recipe for one of its tiles: positive cells lie unevenly over real tissue."""
    painting, factor = recipe.painting, float(np.exp(rng.normal(0.0, 0.5)))
    shares = {
        name: min(1.0, getattr(painting, name) * factor)
        for name in ("tumour_share", "immune_share", "stroma_share")
    }
    return replace(recipe, painting=replace(painting, **shares))


def count_tile(
    tile: RestainedTile, calls: Calls, radius_um: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the (6, 6) counts of one tile, as of `cxpath.metrics.cells.tally`, and its staining's bins.

    Cells whose staining a reader could call either way are not scored, nor what was found in their place.
    """
    kind = KIND_OF_LABEL[tile.label]
    positive = np.where(kind == Kind.TUMOUR, tile.membrane, tile.any_stain)
    places_um = np.column_stack([tile.x_px, tile.y_px]) * tile.mpp
    pairs = match_points(places_um, calls.points_um, radius_um)
    everywhere = np.ones(len(calls), bool)
    table = tally(score_class(kind, positive), calls.places, pairs, tile.stain_known, everywhere)
    found = pairs[tile.stain_known[pairs[:, 0]]]
    found = found[calls.kind[found[:, 1]] != Kind.OTHER]
    right = (calls.kind[found[:, 1]] == kind[found[:, 0]]) & positive[found[:, 0]]
    return table, binned(calls.stained[found[:, 1]], right)


@dataclass(frozen=True)
class MosaicEvaluation:
    """Measures a model on restained slides, one by one, through a cache.

    Parameters
    ----------
    classifier : CellClassifier
    settings : RestainedSetSettings
    cache : ResultsCache
    data : Path or None
        The data folder.
    limit : int or None
        At most so many slides.
    watch : callable
    """

    classifier: CellClassifier
    settings: RestainedSetSettings
    cache: ResultsCache
    data: Path | None
    limit: int | None
    watch: Watcher

    def evaluate(self) -> Findings:
        """Measure every slide whose tiles are there."""
        findings = Findings()
        planned = plan_mosaics(self.settings)[: self.limit]
        slides: list[CountedMosaic] = []
        tiles: dict[str, list[PreparedTile]] = {}
        for done, slide in enumerate(planned):
            self.watch(SET_NAME, done, len(planned))
            if slide.source.name not in tiles:
                tiles[slide.source.name] = self._prepared(slide.source, findings)
            if tiles[slide.source.name]:
                slides.append(self._measured(slide, tiles[slide.source.name]))
        self.watch(SET_NAME, len(planned), len(planned))
        if slides:
            findings.sets.append(_summary(len(slides)))
            findings.figures += mosaic_figures(slides, self.settings)
        return findings

    def _prepared(self, source: TissueSource, findings: Findings) -> list[PreparedTile]:
        prepared = []
        tiles = tiles_to_evaluate(self.data, source, SET_NAME, findings)
        for number, tile in enumerate(tiles):
            try:
                prepared.append(prepare(tile, np.random.default_rng([self.settings.seed, number])))
            except TissueTileError as error:
                findings.skipped.append(Skipped(item=SET_NAME, reason=str(error)))
        return prepared

    def _measured(self, planned: PlannedMosaic, prepared: Sequence[PreparedTile]) -> CountedMosaic:
        content = f"{self.settings.seed} {self.settings.mosaic.model_dump_json()} {planned.painting}"
        names = " ".join(one.tile.name for one in prepared)

        def measure() -> CountedMosaic:
            return count_mosaic(planned, prepared, self.settings, self.classifier.calls)

        return self.cache.result(f"{SET_NAME}-{planned.name}", f"{content} {names}", CountedMosaic, measure)


def count_mosaic(
    planned: PlannedMosaic,
    prepared: Sequence[PreparedTile],
    settings: RestainedSetSettings,
    classify: Callable[[NDArray[np.uint8], StainBasis], Calls],
) -> CountedMosaic:
    """Paint one slide and count it."""
    tiles = list(mosaic_tiles(planned, prepared, settings))
    stains = picture_stains([tile.rgb for tile in tiles])
    counted = [
        count_tile(tile, classify(tile.rgb, stains), settings.mosaic.match_radius_um) for tile in tiles
    ]
    tables, bins = zip(*counted, strict=True)
    return CountedMosaic(
        name=planned.name,
        arm=ARM,
        painting=planned.painting.value,
        table=np.sum(tables, axis=0).tolist(),
        reliability=np.round(np.sum(bins, axis=0), 4).tolist(),
    )


def mosaic_figures(slides: Sequence[CountedMosaic], settings: RestainedSetSettings) -> list[Figure]:
    """Return the figures of the slides; none has a target."""
    counts, scores = count_rows(slides), score_rows(slides)
    origin = Origin(set_name=SET_NAME, mpp=SOURCES[0].mpp, mpp_source="file")

    def figure(name: str, label: str, rows: Rows, statistic: Statistic, method: str) -> Figure:
        """Return one figure over slides, with what all of them share."""
        return measured(
            origin, name, label, rows, statistic, settings.bootstrap,
            unit="slides", n=len(slides), n_of="slides", method=method, target=None,
        )  # fmt: skip

    pairs = f"one-to-one within {settings.mosaic.match_radius_um:g} µm, classes right"
    of_slides = "CPS of the calls against CPS of the truth, over the same tiles"
    sides = [
        figure(f"right_side_of_{cutoff}", f"slides on the right side of CPS {cutoff}", scores,
               of_scores(partial(right_side, cutoff=float(cutoff))), of_slides)
        for cutoff in (1, 10)
    ]  # fmt: skip
    return [
        figure("macro_f1", "macro-F1 of tumour ± and immune ±", counts, pooled_figure(macro_f1), pairs),
        figure("concordance", "Lin's concordance of log10(CPS + 1)", scores,
               of_scores(score_concordance), of_slides),
        *sides,
    ]  # fmt: skip


def _summary(items: int) -> SetSummary:
    return SetSummary(
        name=SET_NAME,
        title="slides of restained tiles of validation patients, breast and colorectal",
        mpp=SOURCES[0].mpp,
        mpp_source="file",
        items=items,
    )
