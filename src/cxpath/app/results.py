"""What a scored slide leaves: `score.json`, `run.json`, cells, tiles and pictures."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath import __version__
from cxpath.app.configuration import PictureSettings, ReportSettings, ScoreRequest
from cxpath.app.slide_cells import LoadedNetwork, SampledFields, SlideCells
from cxpath.app.slide_look import SlideLook, areas_with_regions
from cxpath.data import CellTable, Reason, ReasonCode, Regions
from cxpath.documents import (
    CodedText,
    Control,
    GivenCells,
    LaboratoryScale,
    ReaderEntry,
    RegionEntry,
    RegionsEntry,
    RunDocument,
    RunModel,
    RunOptions,
    RunSlide,
    RunStains,
    RunTiles,
    Sampling,
    ScoreDocument,
    ScoredSlide,
    ScoreProvenance,
    SlideScores,
    StageEntry,
    Stratum,
    TissueEntry,
)
from cxpath.io import CellsGeojsonWriter, CellsWriter, write_table
from cxpath.network import ModelCard
from cxpath.pipeline import StageTimes, TilePlan, bottleneck
from cxpath.report import (
    INFLUENCE,
    FieldView,
    PlacedField,
    field_map,
    heatmap_picture,
    tissue_picture,
    write_fields,
    write_png,
)
from cxpath.scores import (
    CalledCells,
    FieldLattice,
    ScoringSettings,
    SlideScore,
    countable_kind,
    grouped_counts,
    lay_fields,
    rank_fields,
    sample_fields,
)
from cxpath.slide import Slide
from cxpath.tissue import Tissue

# The two documents of a run made from what it found: `score.json`, the result, and `run.json`.

OPTIONAL_PACKAGES = ("openvino", "nncf")
"""Named where they are installed."""

PACKAGES = (
    "torch",
    "torchvision",
    "openslide-python",
    "openslide-bin",
    "simplejpeg",
    "numpy",
    "scikit-image",
    "scipy",
)


@dataclass(frozen=True)
class RunFacts:
    """What both documents are made from, besides the score."""

    request: ScoreRequest
    look: SlideLook
    card: ModelCard
    network: LoadedNetwork
    warnings: tuple[Reason, ...]
    found: SlideCells | None
    scoring: ScoringSettings

    @property
    def notice(self) -> str | None:
        """What the model was trained on; None where it called no cell of this score."""
        return None if self.request.cells else self.card.notice

    @property
    def said(self) -> tuple[CodedText, ...]:
        """Every warning once, the model's notice first."""
        notice = (Reason(ReasonCode.MODEL_NOTICE, self.notice),) if self.notice else ()
        return tuple(CodedText.of(warning) for warning in dict.fromkeys((*notice, *self.warnings)))


def score_document(facts: RunFacts, score: SlideScore) -> ScoreDocument:
    """Return the result of a slide: complete, and null for what there is not."""
    request, card = facts.request, facts.card
    sample = facts.found.sample if facts.found else None
    return ScoreDocument(
        notice=facts.notice,
        slide=ScoredSlide.of(facts.look.slide.info),
        assay=request.assay,
        tumour=request.tumour,
        marker=request.marker,
        warnings=facts.said,
        **dict(SlideScores.of_score(score)),
        sampling=_sampling(sample) if sample else None,
        laboratory_map=_laboratory_scale(facts.scoring, score),
        scoring=facts.scoring,
        tissue=TissueEntry.of(areas_with_regions(facts.look.tissue, facts.look.regions)),
        controls=tuple(map(Control.of, facts.look.tissue.controls)),
        provenance=ScoreProvenance(
            cxpath=__version__,
            model=card.name,
            model_digest=card.digest,
            configuration_digest=request.configuration.digest(),
        ),
    )


def run_document(facts: RunFacts, timings_s: Mapping[str, float]) -> RunDocument:
    """Return what repeats the run, and nothing that names a patient or a folder."""
    request, look, found = facts.request, facts.look, facts.found
    info, reader_path, network = look.slide.info, look.slide.reader_path, facts.network.settings
    stages = found.stages if found else ()
    slowest = bottleneck(stages)
    return RunDocument(
        started=look.started.isoformat(timespec="seconds"),
        versions=_versions(),
        slide=RunSlide.of(info),
        model=_model(facts.card),
        options=_options(request),
        regions=regions_entry(look.regions, info.mpp) if look.regions else None,
        given_cells=GivenCells(form=found.form, cells=len(found.cells)) if found and found.form else None,
        configuration=request.configuration.model_dump(mode="json"),
        configuration_digest=request.configuration.digest(),
        device=facts.network.device.hardware,
        engine=network.engine,
        precision="int8" if network.precision == "int8" else facts.network.device.precision,
        reader=info.reader,
        reader_path=ReaderEntry.of(reader_path) if reader_path else None,
        stains=RunStains.of(look.tissue.stains),
        tiles=RunTiles(planned=len(found.plan.tiles) if found else 0, read=found.tiles_read if found else 0),
        timings_s=timings_s,
        stages={stage.name: _stage(stage) for stage in stages},
        bottleneck=slowest.name if slowest else None,
        warnings=facts.said,
    )


def _laboratory_scale(scoring: ScoringSettings, score: SlideScore) -> LaboratoryScale | None:
    if scoring.laboratory_map is None or score.cps is None:
        return None
    return LaboratoryScale.of(scoring.laboratory_map.value_of(score.cps.value))


def _sampling(sample: SampledFields) -> Sampling:
    estimate, tiles = sample.estimate, sample.tiles
    known = bool(np.isfinite(estimate.cps))
    return Sampling(
        method="stratified Horvitz-Thompson/1",
        share_read=estimate.share_read,
        tiles_drawn=int(tiles.read.sum()),
        tiles_with_tissue=len(tiles.tile),
        context_tiles=sample.context_tiles,
        looks=sample.looks,
        stopped_because=sample.because,
        cps=estimate.cps if known else None,
        interval=estimate.interval(sample.level) if known else None,
        level=sample.level,
        strata=tuple(
            Stratum(tiles=int(size), drawn=int(drawn))
            for size, drawn in zip(estimate.sizes, estimate.drawn, strict=True)
        ),
    )


def _model(card: ModelCard) -> RunModel:
    threshold = card.thresholds.stained_threshold
    return RunModel(name=card.name, version=card.version, digest=card.digest, stained_threshold=threshold)


def _options(request: ScoreRequest) -> RunOptions:
    return RunOptions(
        assay=request.assay,
        tumour=request.tumour,
        marker=request.marker,
        mode=request.mode,
        research=request.research,
        mpp=request.mpp,
        regions_drawn=request.regions is not None,
        cells_given=request.cells is not None,
        pseudonym=request.pseudonym,
    )


def regions_entry(regions: Regions, mpp: float) -> RegionsEntry:
    """Return what is reported about the regions; it names neither file nor folder."""
    pixel_mm2 = (mpp / 1000.0) ** 2
    areas = (
        RegionEntry(
            name=area.name,
            meaning=area.effective_meaning.value,
            use=area.use.value,
            area_mm2=float(area.shape.area) * pixel_mm2,
        )
        for area in regions.areas
    )
    return RegionsEntry(form=regions.form, digest=regions.digest, areas=tuple(areas))


def _stage(times: StageTimes) -> StageEntry:
    return StageEntry(
        workers=times.workers,
        elapsed_s=round(times.elapsed_s, 3),
        busy_s=round(times.busy_s, 3),
        waited_for_input_s=round(times.waited_for_input_s, 3),
        waited_for_space_s=round(times.waited_for_space_s, 3),
        busy_share=round(times.busy_share, 4),
    )


def _versions() -> dict[str, str]:
    found = {"cxpath": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    for package in OPTIONAL_PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


# The gallery of a run: the fields that decide, a few of every kind with them, and where they all lie.


MAP = "map.png"

Drawn = dict[str, Image.Image]
"""Pictures as they were written, by file name inside the folder: the report need not unpack them."""


def write_field_pictures(
    folder: Path,
    slide: Slide,
    tissue: Tissue,
    called: CalledCells,
    settings: PictureSettings,
) -> Drawn:
    """Write `fields/`: every field plain and with its cells, their list, and `map.png`.

    Parameters
    ----------
    folder : Path
        Of the run.
    slide : Slide
    tissue : Tissue
        Its overview is the ground of the map.
    called : CalledCells
    settings : PictureSettings
    """
    lattice = lay_fields(called, settings.field_um)
    chosen = list(_chosen(lattice, settings))
    influence = np.nan_to_num(lattice.influence(), nan=np.inf)
    reader = _FieldReader(slide, called, lattice, settings)
    captions = [_caption(float(influence[row]), bucket) for bucket, row in chosen]
    views = [reader.view(row, bucket, words) for (bucket, row), words in zip(chosen, captions, strict=True)]
    drawn = write_fields(folder, views)
    if views:
        to_overview = tissue.slide_mpp / tissue.overview_mpp
        placed = [
            PlacedField(
                int(lattice.numbers[row]),
                float(lattice.left_px[row]) * to_overview,
                float(lattice.top_px[row]) * to_overview,
                lattice.side_px * to_overview,
                _effect(float(influence[row]), bucket),
            )
            for bucket, row in chosen
        ]
        drawn[f"fields/{MAP}"] = field_map(tissue.overview, placed, tissue.overview_mpp)
        write_png(drawn[f"fields/{MAP}"], folder / "fields" / MAP)
    return drawn


def _chosen(lattice: FieldLattice, settings: PictureSettings) -> Iterator[tuple[str, int]]:
    """Return bucket and row of each field to picture, in the order of the gallery."""
    leading = [int(row) for row in rank_fields(lattice)[: settings.fields]]
    yield from ((INFLUENCE, row) for row in leading)
    yield from sample_fields(lattice, settings.bucket_fields, leading)


class _FieldReader:
    """Reads fields of one slide and sorts its cells into them."""

    def __init__(
        self,
        slide: Slide,
        called: CalledCells,
        lattice: FieldLattice,
        settings: PictureSettings,
    ) -> None:
        self._slide, self._cells, self._lattice, self._settings = slide, called.cells, lattice, settings
        self._kind, self._counted = countable_kind(called.cells), called.counted
        self._positive = called.positive

    def view(self, row: int, bucket: str, caption: str) -> FieldView:
        """Return one field with its cells."""
        lattice, settings, mpp = self._lattice, self._settings, self._slide.info.mpp
        left_px, top_px = float(lattice.left_px[row]), float(lattice.top_px[row])
        side, to_picture = round(settings.field_um / settings.field_mpp), mpp / settings.field_mpp
        own = np.flatnonzero(lattice.field_of_cell == row)
        local_cps = float(lattice.counts.cps()[row])
        return FieldView(
            number=int(lattice.numbers[row]),
            rgb=self._slide.read(left_px, top_px, side, side, settings.field_mpp),
            mpp=settings.field_mpp,
            x_px=(self._cells.x_px[own] - left_px) * to_picture,
            y_px=(self._cells.y_px[own] - top_px) * to_picture,
            kind=self._kind[own],
            positive=self._positive[own],
            counted=self._counted[own],
            left_um=left_px * mpp,
            top_um=top_px * mpp,
            caption=caption,
            local_cps=local_cps if np.isfinite(local_cps) else None,
            bucket=bucket,
        )


def _effect(influence: float, bucket: str) -> int:
    return int(np.sign(influence)) if bucket == INFLUENCE and np.isfinite(influence) else 0


def _caption(influence: float, bucket: str) -> str:
    if bucket != INFLUENCE:
        return "sampled at random"
    if not np.isfinite(influence):
        return "contains all tumour cells"
    if influence == 0:
        return "does not move the CPS"
    verb = "raises" if influence > 0 else "lowers"
    return f"{verb} the CPS by {abs(influence):.2g}"


# The pictures of a whole slide: what was scored, and where it is positive.


def write_tissue_picture(folder: Path, tissue: Tissue, regions: Regions | None = None) -> Drawn:
    """Write `tissue.png`."""
    picture = tissue_picture(
        tissue.overview,
        tissue.scored,
        tissue.excluded,
        tissue.overview_mpp,
        regions.areas if regions else (),
        tissue.slide_mpp,
    )
    write_png(picture, folder / "tissue.png")
    return {"tissue.png": picture}


def write_heatmap(
    folder: Path,
    tissue: Tissue,
    called: CalledCells,
    settings: ReportSettings,
) -> Drawn:
    """Write `heatmap.png`: the local CPS of small squares, grey where too few tumour cells lie."""
    squares = lay_fields(called, settings.heatmap_um)
    enough = squares.counts.tumour >= settings.heatmap_fewest_tumour_cells
    to_overview = tissue.slide_mpp / tissue.overview_mpp
    picture = heatmap_picture(
        tissue.overview,
        squares.left_px * to_overview,
        squares.top_px * to_overview,
        np.full(len(enough), squares.side_px * to_overview),
        np.where(enough, squares.counts.cps(), np.nan),
        tissue.overview_mpp,
    )
    write_png(picture, folder / "heatmap.png")
    return {"heatmap.png": picture}


# The table of tiles: where each lies, what was counted in it, or why it was left out.


@dataclass(frozen=True, eq=False)
class TileColumns:
    """The columns of `tiles.parquet`, a row for every tile of the plan."""

    tile: NDArray[np.int32]
    """Number of the tile."""
    x_px: NDArray[np.float64]
    """Left edge of its core, level-0 pixels; cells belong to the tile whose core contains their centre."""
    y_px: NDArray[np.float64]
    """Top edge of its core, level-0 pixels."""
    size_px: NDArray[np.float64]
    """Side of the core, level-0 pixels."""
    tissue_share: NDArray[np.float32]
    """Share of the core that is tissue."""
    tumour_positive: NDArray[np.int32]
    """Viable tumour cells with membrane staining in the core."""
    tumour_negative: NDArray[np.int32]
    """Viable tumour cells without it."""
    immune_positive: NDArray[np.int32]
    """Stained lymphocytes and macrophages that are counted; those away from tumour are in no column."""
    immune_negative: NDArray[np.int32]
    """Unstained lymphocytes and macrophages."""
    other: NDArray[np.int32]
    """All other cells."""
    cps: NDArray[np.float32]
    """CPS of this core's cells alone; null without tumour cells. It is never averaged into the slide's."""
    excluded: NDArray[np.object_]
    """Empty for a tile that was read; otherwise why not: `glass`, `not drawn` (with `--mode adaptive`), or
    the reason of `tissue.excluded_mm2` that takes most of it."""


def tile_rows(plan: TilePlan, called: CalledCells) -> dict[str, NDArray[Any]]:
    """Return the columns of `tiles.parquet` by their names; see `TileColumns`.

    Parameters
    ----------
    plan : TilePlan
    called : CalledCells
        The `tile` column of its cells refers to the plan.
    """
    frames = [tile.frame for tile in plan.tiles]
    counts = grouped_counts(called, called.cells.tile.astype(np.int64), len(frames))
    columns = TileColumns(
        tile=np.array([frame.index for frame in frames], dtype=np.int32),
        x_px=np.array([frame.core_x_px for frame in frames], dtype=np.float64),
        y_px=np.array([frame.core_y_px for frame in frames], dtype=np.float64),
        size_px=np.array([frame.core_side_px for frame in frames], dtype=np.float64),
        tissue_share=np.array([tile.tissue_share for tile in plan.tiles], dtype=np.float32),
        tumour_positive=counts.tumour_positive.astype(np.int32),
        tumour_negative=counts.tumour_negative.astype(np.int32),
        immune_positive=counts.immune_positive.astype(np.int32),
        immune_negative=counts.immune_negative.astype(np.int32),
        other=counts.other.astype(np.int32),
        cps=counts.cps().astype(np.float32),
        excluded=np.array([tile.excluded for tile in plan.tiles], dtype=object),
    )
    return vars(columns)


# The files that cells leave: two tables, the export for QuPath, and pictures.


class CellFiles:
    """`cells.parquet` and `cells.geojson.gz`, written while cells are being found; a context manager.

    The first cells open the files; a run that finds none at all calls `keep` with an empty table. Both appear
    under their names on leaving the block without an error; otherwise nothing is left.

    Parameters
    ----------
    folder : Path
    slide : Slide
    stained_threshold : float, optional
        A cell is Positive from this probability on; the one that the cells carry when left out.
    """

    def __init__(self, folder: Path, slide: Slide, stained_threshold: float | None = None) -> None:
        self._folder, self._slide, self._threshold = folder, slide, stained_threshold
        self._open = ExitStack()
        self._writers: tuple[CellsWriter, CellsGeojsonWriter] | None = None

    def keep(self, cells: CellTable) -> None:
        """Append cells to both files."""
        if self._writers is None:
            embedded = cells.embedding is not None
            table = CellsWriter(self._folder / "cells.parquet", cells.facts, embedding=embedded)
            self._open.enter_context(table)
            bounds_px = self._slide.info.bounds_px
            threshold = self._threshold or cells.facts.stained_threshold or 0.5
            path = self._folder / "cells.geojson.gz"
            export = CellsGeojsonWriter(path, cells.facts, bounds_px, stained_threshold=threshold)
            self._writers = table, self._open.enter_context(export)
        for writer in self._writers:
            writer.append(cells)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


def write_tile_table(folder: Path, plan: TilePlan, called: CalledCells) -> None:
    """Write `tiles.parquet`."""
    metadata = {"schema": "cxpath/tiles/1", "mpp": called.cells.facts.mpp}
    write_table(tile_rows(plan, called), folder / "tiles.parquet", metadata)


def write_cell_pictures(
    folder: Path, slide: Slide, tissue: Tissue, called: CalledCells, settings: PictureSettings
) -> Drawn:
    """Write `heatmap.png` and `fields/`, which need all cells."""
    heatmap = write_heatmap(folder, tissue, called, settings)
    return heatmap | write_field_pictures(folder, slide, tissue, called, settings)
