"""Run folders as `cxpath score` leaves them, with believable numbers and real H-DAB pixels."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from cxpath.documents.score import ScoreDocument
from cxpath.io.cells import write_table
from cxpath.report.cell_pictures import INFLUENCE, FieldView, write_fields
from cxpath.report.slide_pictures import PlacedField, field_map, heatmap_picture, tissue_picture
from cxpath.scores.settings import ScoringSettings

RESEARCH_USE = "For Research Use Only. Not for use in diagnostic procedures."
OVERVIEW_MPP = 16.0
TILE_PX = 1024


def _bucket(name: str, fields: int, tumour: float, positive: float) -> dict[str, Any]:
    shares = {"share_of_tumour_cells": tumour, "share_of_positive_cells": positive}
    return {"name": name, "fields": fields} | shares


HETEROGENEITY: dict[str, Any] = {
    "fields": 112,
    "gini": 0.61,
    "coefficient_of_variation": 1.4,
    "share_of_hottest_tenth": 0.41,
    "positive_share_of_hottest": [1 - (1 - step / 20) ** 4 for step in range(1, 21)],
    "buckets": [
        _bucket("no positive cell", 20, 0.15, 0.0),
        _bucket("above 0, below 1", 31, 0.3, 0.01),
        _bucket("1 to below 10", 31, 0.35, 0.12),
        _bucket("10 or more", 30, 0.2, 0.87),
    ],
    "fewest_tumour_cells": 50,
    "hottest": {"left_um": 4500.0, "top_um": 5500.0, "tumour_cells": 412, "local_cps": 61.2},
}  # fmt: skip


def _case(choice: str, setting: float, unit: str, cps: float) -> dict[str, Any]:
    return {"choice": choice, "setting": setting, "unit": unit, "cps": cps, "flips": [], "because": ""}


NOTICE = "the model was trained on synthetic tissue alone; not validated on real PD-L1 slides"


def coded(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}


def cutoff(basis: str, decision: str, probability: float, *, borderline: bool = False) -> dict[str, Any]:
    return {
        "basis": basis,
        "decision": decision,
        "met": {"met": True, "not met": False, "uncertain": None}[decision],
        "probability": probability,
        "borderline": borderline,
        "review": "near the cut-off: pathologist review" if borderline else None,
    }


TRIAL = "trial stratum, not a label"

SCORE: dict[str, Any] = {
    "schema": "cxpath/score/2",
    "research_use": RESEARCH_USE,
    "notice": NOTICE,
    "slide": {
        "name": "case-0417_PD-L1.svs",
        "digest": "9f2c41d7" * 8,
        "width_px": 64_000,
        "height_px": 44_800,
        "mpp": 0.25,
        "mpp_source": "openslide.mpp-x",
        "colour": None,
    },
    "assay": "22c3",
    "tumour": "cervix",
    "marker": "pdl1",
    "warnings": [
        coded("model_notice", NOTICE),
        coded("slide_file", "the file contains 2 pictures; the first one is read"),
    ],
    "evaluable": True,
    "not_evaluable_because": [],
    "adequacy": {"viable_tumour_cells": 48_213, "required": 100},
    "counts": {
        "tumour_positive": 4_102,
        "tumour_negative": 44_111,
        "immune_positive": 1_848,
        "immune_negative": 9_377,
        "immune_positive_not_associated": 211,
        "other": 27_904,
        "lymphocyte": 1_203,
        "macrophage": 645,
    },
    "immune_share": 0.3106,
    "cps": {
        "value": 12.341069,
        "interval_slide": [11.04, 13.83],
        "interval_tissue": [10.13, 14.92],
        "level": 0.95,
        "method": "Poisson on the counts, field bootstrap",
        "reported": "12",
        "cutoffs": {"1": cutoff("label", "met", 0.999), "10": cutoff(TRIAL, "met", 0.98)},
    },
    "tps": {
        "value": 8.508,
        "interval_slide": [7.6, 9.4],
        "interval_tissue": [6.9, 10.2],
        "level": 0.95,
        "method": "Poisson on the counts, field bootstrap",
        "reported": "8.5",
        "cutoffs": {},
    },
    "ic_area": None,
    "ic_cells": None,
    "tap": None,
    "h_score": None,
    "h_score_grades": None,
    "null_because": {"tap": "assay not stated"},
    "influence": [],
    "heterogeneity": HETEROGENEITY,
    "sensitivity": [
        _case("staining threshold", 0.45, "probability", 13.1),
        _case("staining threshold", 0.55, "probability", 11.71),
        _case("membrane completeness", 0.1, "share of outline", 12.01),
        _case("association distance", 250.0, "µm", 12.29),
        _case("association distance", 1000.0, "µm", 12.61),
    ],
    "sampling": None,
    "laboratory_map": None,
    "scoring": ScoringSettings(stained_threshold=0.5).model_dump(mode="json"),
    "tissue": {
        "scored_mm2": 38.42,
        "excluded_mm2": {"pen": 0.81, "blur": 1.64, "fold": 0.12},
        "annotated_mm2": {},
        "tumour_bed_mm2": None,
    },
    "controls": [],
    "provenance": {
        "cxpath": "0.1.0",
        "model": "first-light",
        "model_digest": "77ab0e19" * 8,
        "configuration_digest": "e01d55aa" * 8,
    },
    "audited": None,
    "review": None,
}

RUN: dict[str, Any] = {
    "schema": "cxpath/run/2",
    "research_use": RESEARCH_USE,
    "started": "2026-11-23T09:14:05+00:00",
    "versions": {"cxpath": "0.1.0", "python": "3.11.9", "torch": "2.15.0", "openslide": "4.0.1"},
    "slide": {
        "name": "case-0417_PD-L1.svs",
        "stem": "case-0417_PD-L1",
        "digest": "9f2c41d7" * 8,
        "quickhash": "5d" * 32,
        "width_px": 64_000,
        "height_px": 44_800,
        "mpp": 0.25,
        "mpp_source": "openslide.mpp-x",
        "reader": "openslide",
        "vendor": "aperio",
        "level_downsamples": [1.0, 4.0, 16.0, 32.0],
        "bounds_px": [0, 0, 64_000, 44_800],
        "properties": {"openslide.objective-power": "40"},
        "colour": None,
    },
    "model": {
        "name": "first-light", "version": "1", "digest": "77ab0e19" * 8, "stained_threshold": 0.5,
    },
    "options": {
        "assay": "22c3", "tumour": "cervix", "marker": "pdl1", "mode": "whole", "research": False,
        "mpp": None, "regions_drawn": False, "cells_given": False, "pseudonym": False,
    },
    "regions": None,
    "given_cells": None,
    "configuration": {"scoring": {"stained_threshold": 0.5}},
    "configuration_digest": "e01d55aa" * 8,
    "device": "cuda (bfloat16)",
    "engine": "torch",
    "precision": "bfloat16",
    "reader": "openslide",
    "reader_path": None,
    "stains": {
        "white_point": [243.0, 242.1, 240.6],
        "hematoxylin": [0.70, 0.64, 0.31],
        "dab": [0.33, 0.53, 0.78],
    },
    "tiles": {"planned": 812, "read": 812},
    "timings_s": {
        "open": 0.21, "tissue": 1.9, "stain": 0.4,
        "detect": 37.2, "score": 0.8, "pictures": 3.1, "report": 1.1, "total": 44.7,
    },
    "stages": {},
    "bottleneck": None,
    "warnings": [],
}  # fmt: skip


def document_of(score: dict[str, Any]) -> ScoreDocument:
    """Return a score as it is read from its file."""
    return ScoreDocument.model_validate_json(json.dumps(score), strict=True)


def normal_score() -> dict[str, Any]:
    return copy.deepcopy(SCORE)


def borderline_score() -> dict[str, Any]:
    score = normal_score()
    score["counts"].update(
        tumour_positive=302, tumour_negative=47_911, immune_positive=161, lymphocyte=100, macrophage=61
    )
    score["cps"].update(
        value=0.960322,
        reported="<1",
        interval_slide=[0.83, 1.11],
        interval_tissue=[0.58, 1.49],
        cutoffs={
            "1": cutoff("label", "uncertain", 0.412, borderline=True),
            "10": cutoff(TRIAL, "not met", 0.0),
        },
    )
    for case, cps in zip(score["sensitivity"], (1.08, 0.88, 0.93, 0.95, 0.97), strict=True):
        case.update(cps=cps, flips=[1.0] if cps >= 1 else [])
    score["tps"].update(
        value=0.6264, reported="<1", interval_slide=[0.55, 0.71], interval_tissue=[0.33, 1.02]
    )
    score["assay"] = "unknown"
    score["warnings"] = [coded("model_notice", NOTICE), coded("assay_not_stated", "assay not stated")]
    return score


def not_evaluable_score() -> dict[str, Any]:
    score = normal_score()
    score.update(
        evaluable=False,
        not_evaluable_because=[
            coded("too_few_tumour_cells", "37 viable tumour cells found, at least 100 are required"),
            coded("not_hdab", "tissue colour outside the span of haematoxylin and DAB (eosin?)"),
        ],
        cps=None,
        tps=None,
        heterogeneity=None,
        sensitivity=[],
    )
    score["adequacy"]["viable_tumour_cells"] = 37
    score["counts"].update(
        tumour_positive=2, tumour_negative=35, immune_positive=4, lymphocyte=4, macrophage=0
    )
    return score


def audited_score() -> dict[str, Any]:
    """Return a score that an audit moved from 12 to 4.2; one answer of 100 was "cannot tell"."""
    cutoffs = {"1": cutoff("label", "met", 0.99), "10": cutoff(TRIAL, "uncertain", 0.06)}
    audited = {
        "cps": 4.236, "interval": [2.0, 9.0], "interval_tissue": [1.5, 11.0], "level": 0.95,
        "bounds": [4.109, 4.396], "n": 100, "cannot_tell": 1, "answers": [], "tumour_cells": 20_000.5,
        "hidden_cells": 3.5, "squares": 0, "reviewer": "Dr A", "utc": "2026-11-30T09:00:00Z", "seed": 1,
        "events": 8, "head_hash": "ab" * 32, "method": "difference", "warnings": [], "cutoffs": cutoffs,
    }  # fmt: skip
    signed = {"name": "Dr B", "utc": "2026-11-30T10:00:00Z", "meaning": "approved"}
    review = {"edits": 0, "events": 9, "head_hash": "cd" * 32, "signature": signed}
    return normal_score() | {"audited": audited, "review": review}


SCORES = {"normal": normal_score, "borderline": borderline_score, "not evaluable": not_evaluable_score}


def overview() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return an overview of pieces of real H-DAB tissue on glass, and where the tissue is."""
    height, width = 700, 1000
    small = cv2.resize(data.immunohistochemistry(), (180, 180), interpolation=cv2.INTER_AREA)
    mirrored = np.concatenate([small, small[:, ::-1]], axis=1)
    block = np.concatenate([mirrored, mirrored[::-1]], axis=0)
    tissue_rgb = np.tile(block, (2, 3, 1))[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    turns = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    for x, y, radius in ((300, 350, 240), (690, 300, 190), (820, 560, 90)):
        reach = radius * (1 + 0.13 * np.sin(3 * turns + x) + 0.06 * np.sin(7 * turns))
        outline = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], axis=1)
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    glass = np.full((height, width, 3), (243, 242, 240), np.uint8)
    return np.where(mask[..., None] == 1, tissue_rgb, glass).astype(np.uint8), mask.astype(bool)


def cells_of_field(number: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return real pixels (0.5 µm/px assumed) and centres found as dark spots, with classes drawn by stain."""
    rgb = np.ascontiguousarray(np.rot90(data.immunohistochemistry(), number)[:500, :500])
    darkness = cv2.GaussianBlur(255 - rgb[..., 0].astype(np.float32), (0, 0), 3.0)
    highest = cv2.dilate(darkness, np.ones((13, 13), np.uint8))
    y, x = np.nonzero((darkness == highest) & (darkness > 80))
    brown = rgb[y, x, 0].astype(int) - rgb[y, x, 2].astype(int)
    draws = np.random.default_rng(number).random(len(x))
    kind = np.select([draws < 0.6, draws < 0.8], [0, 1], 2).astype(np.uint8)
    columns = {"x_px": x + 0.5, "y_px": y + 0.5, "kind": kind, "positive": (brown > 15) & (kind < 2)}
    columns["counted"] = columns["positive"] & ((kind == 0) | (draws < 0.78))
    return rgb, columns


def tile_columns(mask: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Return the table of tiles for the overview's mask."""
    step = int(TILE_PX * 0.25 / OVERVIEW_MPP)
    rows, columns = (grid.ravel() for grid in np.mgrid[0 : mask.shape[0] : step, 0 : mask.shape[1] : step])
    share = np.array([mask[y : y + step, x : x + step].mean() for y, x in zip(rows, columns, strict=True)])
    draws = np.random.default_rng(3)
    hot = np.exp(-((columns - 300) ** 2 + (rows - 300) ** 2) / 2 / 90.0**2)
    tumour = np.rint(share * 160 * (draws.random(len(rows)) > 0.15)).astype(np.int32)
    positive = draws.binomial(tumour, np.clip(0.6 * hot + 0.01, 0, 1)).astype(np.int32)
    immune = draws.binomial(np.rint(30 * share).astype(int), np.clip(0.5 * hot + 0.02, 0, 1)).astype(np.int32)
    cps = np.full(len(rows), np.nan, np.float32)
    np.divide(100.0 * (positive + immune), tumour, out=cps, where=tumour > 0, casting="unsafe")
    excluded = np.where(share > 0, "", "glass").astype(object)
    return {
        "tile": np.arange(len(rows), dtype=np.int32),
        "x_px": columns * TILE_PX / step,
        "y_px": rows * TILE_PX / step,
        "size_px": np.full(len(rows), TILE_PX, np.float64),
        "tissue_share": share.astype(np.float32),
        "tumour_positive": positive,
        "tumour_negative": tumour - positive,
        "immune_positive": immune,
        "immune_negative": np.rint(30 * share).astype(np.int32) - immune,
        "other": np.rint(40 * share).astype(np.int32),
        "cps": np.minimum(cps, 100),
        "excluded": excluded,
    }


def draw_pictures(folder: Path) -> None:
    """Write the pictures, the gallery and the table of tiles."""
    rgb, mask = overview()
    pen, blur = np.zeros_like(mask), np.zeros_like(mask)
    pen[260:340, 560:640] = True
    blur[480:540, 160:330] = True
    excluded = {"pen": pen & mask, "blur": blur & mask}
    tissue_picture(rgb, mask & ~pen & ~blur, excluded, OVERVIEW_MPP).save(folder / "tissue.png")
    tiles = tile_columns(mask)
    scale = 0.25 / OVERVIEW_MPP
    heatmap = heatmap_picture(
        rgb,
        tiles["x_px"] * scale,
        tiles["y_px"] * scale,
        tiles["size_px"] * scale,
        tiles["cps"],
        OVERVIEW_MPP,
    )
    heatmap.save(folder / "heatmap.png")
    write_table(tiles, folder / "tiles.parquet", {"schema": "cxpath/tiles/1"})
    captions = {
        "raises the CPS by 1.2": INFLUENCE,
        "lowers the CPS by 0.4": INFLUENCE,
        "drawn at random": "1 to below 10",
    }
    views = []
    for number, (caption, bucket) in enumerate(captions.items()):
        pixels, columns = cells_of_field(number)
        views.append(
            FieldView(
                number + 1,
                pixels,
                0.5,
                **columns,
                left_um=4000.0 + 500 * number,
                top_um=5500.0,
                caption=caption,
                local_cps=31.5,
                bucket=bucket,
            )
        )
    write_fields(folder, views)
    placed = [PlacedField(n, 250 + 31 * n, 340, 31, effect) for n, effect in ((1, 1), (2, -1), (3, 0))]
    field_map(rgb, placed, OVERVIEW_MPP).save(folder / "fields" / "map.png")


def write_run(folder: Path, score: dict[str, Any], *, pictures: bool = True) -> Path:
    """Write a run's folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.json").write_text(json.dumps(score), encoding="utf-8")
    (folder / "run.json").write_text(
        json.dumps({**RUN, "slide": {**RUN["slide"], "name": score["slide"]["name"]}}), encoding="utf-8"
    )
    if pictures:
        draw_pictures(folder)
    return folder
