"""The two documents of a run made from what it found: `score.json`, the result, and `run.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from cxpath.app.request import ScoreRequest
from cxpath.app.slide_cells import SampledFields, SlideCells
from cxpath.app.slide_look import areas_with_regions
from cxpath.data import Reason, ReasonCode, Regions, SlideInfo
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
from cxpath.io import atomic_write
from cxpath.network import Device, ModelCard, NetworkSettings
from cxpath.pipeline import StageTimes, bottleneck
from cxpath.scores import ScoringSettings, SlideScore
from cxpath.slide import ReaderPath
from cxpath.tissue import Tissue
from cxpath.version import __version__

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
    info: SlideInfo
    tissue: Tissue
    card: ModelCard
    started: datetime
    device: Device
    network: NetworkSettings
    warnings: tuple[Reason, ...]
    found: SlideCells | None
    scoring: ScoringSettings
    regions: Regions | None = None
    reader_path: ReaderPath | None = None

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
        slide=ScoredSlide.of(facts.info),
        assay=request.assay,
        tumour=request.tumour,
        marker=request.marker,
        warnings=facts.said,
        **dict(SlideScores.of_score(score)),
        sampling=_sampling(sample) if sample else None,
        laboratory_map=_laboratory_scale(facts.scoring, score),
        scoring=facts.scoring,
        tissue=TissueEntry.of(areas_with_regions(facts.tissue, facts.regions)),
        controls=tuple(map(Control.of, facts.tissue.controls)),
        provenance=ScoreProvenance(
            cxpath=__version__,
            model=card.name,
            model_digest=card.digest,
            configuration_digest=request.configuration.digest(),
        ),
    )


def run_document(facts: RunFacts, timings_s: Mapping[str, float]) -> RunDocument:
    """Return what repeats the run, and nothing that names a patient or a folder."""
    request, found, network = facts.request, facts.found, facts.network
    stages = found.stages if found else ()
    slowest = bottleneck(stages)
    return RunDocument(
        started=facts.started.isoformat(timespec="seconds"),
        versions=_versions(),
        slide=RunSlide.of(facts.info),
        model=_model(facts.card),
        options=_options(request),
        regions=regions_entry(facts.regions, facts.info.mpp) if facts.regions else None,
        given_cells=GivenCells(form=found.form, cells=len(found.cells)) if found and found.form else None,
        configuration=request.configuration.model_dump(mode="json"),
        configuration_digest=request.configuration.digest(),
        device=facts.device.hardware,
        engine=network.engine,
        precision="int8" if network.precision == "int8" else facts.device.precision,
        reader=facts.info.reader,
        reader_path=ReaderEntry.of(facts.reader_path) if facts.reader_path else None,
        stains=RunStains.of(facts.tissue.stains),
        tiles=RunTiles(planned=len(found.plan.tiles) if found else 0, read=found.tiles_read if found else 0),
        timings_s=timings_s,
        stages={stage.name: _stage(stage) for stage in stages},
        bottleneck=slowest.name if slowest else None,
        warnings=facts.said,
    )


def write_json(path: Path, document: object) -> None:
    """Write JSON of another program's form, whole or not at all; NaN would be no JSON and is refused."""
    with atomic_write(path) as partial:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        # a path whose bytes are not UTF-8 is escaped, which is valid JSON
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


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
