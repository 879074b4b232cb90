"""`--mode adaptive` on a drawn slide: it reads a part, says so, and comes near what reading all gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cxpath
from cxpath.exchange.tiles_parquet import read_table
from cxpath.runs.adaptive_reading import NOT_DRAWN, _gap_px
from cxpath.runs.score_request import ScoreRequest
from cxpath.values.errors import ConfigurationError
from cxpath.values.tile_frame import TileFrame
from tests.conftest import DrawnSlide

SMALL_TILES = ["tiles.core_px=256"]
EARLY = [*SMALL_TILES, "adaptive.fewest_in_stratum=3", "adaptive.relative_width=0.8"]


def score(slide: Path, out: Path, settings: list[str], mode: str) -> dict[str, Any]:
    configuration = cxpath.load_configuration(None, settings)
    cxpath.score_slide(slide, out, mode=mode, device="cpu", configuration=configuration)
    document: dict[str, Any] = json.loads((out / "score.json").read_text())
    return document


@pytest.fixture(scope="module")
def whole(drawn_slide: DrawnSlide, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return score(drawn_slide.path, tmp_path_factory.mktemp("whole") / "out", SMALL_TILES, "whole")


@pytest.fixture(scope="module")
def part(drawn_slide: DrawnSlide, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("part") / "out"
    return score(drawn_slide.path, out, EARLY, "adaptive"), out


def test_a_part_is_read_and_said_so(part: tuple[dict[str, Any], Path]) -> None:
    document, out = part
    sampling = document["sampling"]
    assert 0 < sampling["share_read"] < 1
    assert sampling["tiles_drawn"] == sum(stratum["drawn"] for stratum in sampling["strata"])
    assert sampling["stopped_because"]
    assert any(f"{sampling['share_read']:.0%} of the tissue's tiles" in text for text in document["warnings"])
    assert "tissue&#39;s tiles were drawn" in (out / "report.html").read_text().replace("'", "&#39;")
    columns, _ = read_table(out / "tiles.parquet")
    read = sampling["tiles_drawn"] + sampling["context_tiles"]
    assert (columns["excluded"] == "").sum() == read
    assert (columns["excluded"] == NOT_DRAWN).sum() == sampling["tiles_with_tissue"] - read
    cells = cxpath.read_cells(out / "cells.parquet")
    assert set(np.unique(cells.tile)) <= set(columns["tile"][columns["excluded"] == ""])


def test_it_comes_near_what_reading_all_gives(
    part: tuple[dict[str, Any], Path], whole: dict[str, Any]
) -> None:
    document, _ = part
    low, high = document["sampling"]["interval"]
    assert whole["sampling"] is None
    assert low * 0.7 <= whole["cps"]["value"] <= high * 1.3
    counts = document["counts"]
    positive = counts["tumour_positive"] + counts["immune_positive"]
    tumour = counts["tumour_positive"] + counts["tumour_negative"]
    assert document["cps"]["value"] == pytest.approx(min(100.0, 100.0 * positive / tumour))
    assert document["cps"]["value"] == pytest.approx(document["sampling"]["cps"], rel=0.02, abs=0.05)


def test_reading_all_of_it_gives_the_whole_score(
    drawn_slide: DrawnSlide, whole: dict[str, Any], tmp_path: Path
) -> None:
    every = [*SMALL_TILES, "adaptive.first_share=1.0"]
    document = score(drawn_slide.path, tmp_path / "out", every, "adaptive")
    assert document["sampling"] is None
    assert any("all of the tissue was read" in text for text in document["warnings"])
    assert document["counts"] == whole["counts"]
    assert document["cps"] == whole["cps"]
    assert document["sensitivity"] == whole["sensitivity"]


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "some"}, {"mode": "adaptive", "marker": "her2"}, {"mode": "adaptive", "cells": Path("a")}],
)
def test_modes_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="mode"):
        ScoreRequest(Path("a.svs"), **wrong).check()


def test_how_far_a_tile_lies_from_the_nearest_cell() -> None:
    frame = TileFrame(0, 0.0, 0.0, 1.0, 100, 0)
    assert _gap_px(np.array([[50.0, 50.0], [500.0, 0.0]]), frame) == 0
    assert _gap_px(np.array([[130.0, 140.0]]), frame) == 50
    assert _gap_px(np.zeros((0, 2)), frame) == np.inf
