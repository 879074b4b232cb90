"""The two JSON documents of a run: `score.json`, the result, and `run.json`, how it came about."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cxpath.app.request import ScoreRequest
from cxpath.app.slide_cells import SlideCells, areas_with_regions, regions_document
from cxpath.data.regions import Regions
from cxpath.data.slide_info import SlideInfo
from cxpath.io.atomic import atomic_write
from cxpath.network.device import Device
from cxpath.network.model import ModelCard
from cxpath.pipeline.stages import bottleneck
from cxpath.scores.score import SlideScore
from cxpath.scores.settings import ScoringSettings
from cxpath.slide.slide import ReaderPath
from cxpath.tissue.tissue import Tissue
from cxpath.version import __version__

OPTIONAL_PACKAGES = ("openvino", "nncf")
"""Named where they are installed."""

SCORE_SCHEMA = "cxpath/score/1"
RUN_SCHEMA = "cxpath/run/1"
RESEARCH_USE = "For Research Use Only. Not for use in diagnostic procedures."
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
    """What both documents are made from, beside the score."""

    request: ScoreRequest
    info: SlideInfo
    tissue: Tissue
    card: ModelCard
    started: datetime
    device: Device
    warnings: tuple[str, ...]
    found: SlideCells | None
    regions: Regions | None = None
    scoring: ScoringSettings | None = None
    reader_path: ReaderPath | None = None


def score_document(facts: RunFacts, score: SlideScore) -> dict[str, Any]:
    """Return `score.json` as in the design: keys stable and complete, null for what there is not."""
    info, areas = facts.info, areas_with_regions(facts.tissue, facts.regions)
    return {
        "schema": SCORE_SCHEMA,
        "research_use": RESEARCH_USE,
        "slide": {
            "name": info.name,
            "digest": info.digest,
            "width_px": info.width_px,
            "height_px": info.height_px,
            "mpp": info.mpp,
            "mpp_source": info.mpp_source,
        },
        "assay": facts.request.assay,
        "tumour": facts.request.tumour,
        "marker": facts.request.marker,
        "warnings": list(facts.warnings),
        **score.as_dict(),
        "sampling": facts.found.sample.as_dict() if facts.found and facts.found.sample else None,
        "laboratory_map": _laboratory_map(facts.scoring, score),
        "scoring": facts.scoring.model_dump(mode="json") if facts.scoring else None,
        "tissue": {
            "scored_mm2": areas.scored_mm2,
            "excluded_mm2": dict(areas.excluded_mm2),
            "annotated_mm2": dict(areas.annotated_mm2),
            "tumour_bed_mm2": areas.tumour_bed_mm2,
        },
        "controls": [check.as_dict() for check in facts.tissue.controls],
        "provenance": {
            "cxpath": __version__,
            "model": facts.card.name,
            "model_digest": facts.card.digest,
            "configuration_digest": facts.request.configuration.digest(),
        },
    }


def run_document(facts: RunFacts, timings_s: Mapping[str, float]) -> dict[str, Any]:
    """Return `run.json`: enough to repeat the run, and nothing that names a patient or a folder."""
    stains, request = facts.tissue.stains, facts.request
    network = request.configuration.network
    return {
        "schema": RUN_SCHEMA,
        "started": facts.started.isoformat(timespec="seconds"),
        "versions": _versions(),
        "slide": asdict(facts.info) | {"properties": dict(facts.info.properties)},
        "model": {
            "name": facts.card.name,
            "version": facts.card.version,
            "digest": facts.card.digest,
            "stained_threshold": facts.card.thresholds.stained_threshold,
        },
        "options": {
            "assay": request.assay,
            "tumour": request.tumour,
            "marker": request.marker,
            "mode": request.mode,
            "research": request.research,
            "mpp": request.mpp,
            "regions_drawn": request.roi is not None,
            "cells_given": request.cells is not None,
            "pseudonym": request.pseudonym,
        },
        "regions": regions_document(facts.regions, facts.info.mpp),
        "given_cells": _given_cells(facts.found),
        "configuration": request.configuration.model_dump(mode="json"),
        "configuration_digest": request.configuration.digest(),
        "device": facts.device.hardware,
        "engine": network.engine,
        "precision": "int8" if network.precision == "int8" else facts.device.precision,
        "reader": facts.info.reader,
        "reader_path": facts.reader_path.as_dict() if facts.reader_path else None,
        "stains": {
            "white_point": list(stains.white_point),
            "hematoxylin": list(stains.hematoxylin),
            "dab": list(stains.dab),
        },
        "tiles": _tiles(facts.found),
        "timings_s": dict(timings_s),
        **_pipeline(facts.found),
        "warnings": list(facts.warnings),
    }


def write_json(path: Path, document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a document, whole or not at all; NaN would be no JSON and is refused."""
    with atomic_write(path) as partial:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        # a path whose bytes are not UTF-8 is escaped, which is valid JSON
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _laboratory_map(scoring: ScoringSettings | None, score: SlideScore) -> dict[str, Any] | None:
    if scoring is None or scoring.laboratory_map is None or score.cps is None:
        return None
    return scoring.laboratory_map.value_of(score.cps.value)


def _given_cells(found: SlideCells | None) -> dict[str, Any] | None:
    if found is None or not found.form:
        return None
    return {"form": found.form, "cells": len(found.cells)}


def _tiles(found: SlideCells | None) -> dict[str, int]:
    plan = found.plan if found else None
    return {"planned": len(plan.tiles) if plan else 0, "read": found.tiles_read if found else 0}


def _pipeline(found: SlideCells | None) -> dict[str, Any]:
    """Return how long each stage of finding cells worked and waited, and which held up the others."""
    stages = found.stages if found else ()
    slowest = bottleneck(stages)
    return {
        "stages": {stage.name: stage.as_dict() for stage in stages},
        "bottleneck": slowest.name if slowest else None,
    }


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
