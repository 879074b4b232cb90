"""Which engine runs, and that a quantised network scores a slide as the exact one does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from shapely.affinity import scale
from shapely.geometry import box

import cxpath
from cxpath.app import slide_cells as engines
from cxpath.app.configuration import ScoreRequest
from cxpath.app.results import regions_entry
from cxpath.app.slide_cells import (
    NOT_SAMPLED,
    _gap_px,
    calibration_tiles,
    choose_engine,
    converted_network,
    quantised_network,
)
from cxpath.app.slide_look import areas_with_regions, region_warnings
from cxpath.data.cells import EMBEDDING_COMPONENTS
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.data.slide_info import Region, RegionMeaning, Regions, StainBasis, TileFrame, in_other_stains
from cxpath.errors import ConfigurationError
from cxpath.io.cells import read_table
from cxpath.network.device import Device, choose_device
from cxpath.network.engines import OpenvinoEngine, TorchEngine, resolve_engine
from cxpath.network.model import CellEmbedding, Model, load_model
from cxpath.network.settings import NetworkSettings
from cxpath.tissue.tissue import Tissue, find_tissue
from tests.conftest import SyntheticSlide

CPU = choose_device("cpu", precision="float32", threads=1)
RELATIVE_BOUND, ABSOLUTE_BOUND = 0.05, 0.3
"""Stated in docs/performance.md: int8 moves the CPS by no more than the larger of these."""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


def test_torch_runs_unless_asked_otherwise(model: Model) -> None:
    assert isinstance(choose_engine(model, CPU, NetworkSettings()), TorchEngine)
    assert isinstance(choose_engine(model, CPU, NetworkSettings(engine="openvino")), OpenvinoEngine)


def test_int8_without_openvino_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="int8 needs engine openvino"):
        cxpath.load_configuration(None, ["network.precision=int8"])


def test_a_network_is_quantised_once_and_kept_whole(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def write(_: Model, tiles: list[object], path: Path) -> None:
        assert tiles == ["tile"]
        made.append(path)
        path.write_text("network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engines, "quantise", write)
    monkeypatch.setattr(engines, "calibration_tiles", lambda _: ["tile"])
    first, second = quantised_network(model), quantised_network(model)
    assert first == second
    assert first.read_text() == "network"
    assert model.card.digest[:16] in str(first)
    assert len(made) == 1
    assert [path.name for path in first.parent.parent.iterdir()] == [first.parent.name]


def test_a_network_is_converted_once_and_anew_where_nothing_can_be_kept(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def write(_: Model, path: Path) -> None:
        made.append(path)
        path.write_text("network")

    monkeypatch.setattr(engines, "convert", write)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second = converted_network(model), converted_network(model)
    assert first == second
    assert first is not None
    assert first.parent.parent.name == "converted"
    assert len(made) == 1
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert converted_network(model) is None


def test_a_network_without_features_is_not_taken_for_one_with_them(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "convert", lambda _, path: path.write_text("network"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    embedding = CellEmbedding(*(np.zeros(EMBEDDING_COMPONENTS, np.float32),) * 4)
    kept = {converted_network(replace(model, embedding=one)) for one in (None, embedding)}
    assert len(kept) == 2


def test_a_failure_leaves_no_half_network(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Model, tiles: list[object], path: Path) -> None:
        path.write_text("half")
        raise MemoryError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engines, "quantise", fail)
    monkeypatch.setattr(engines, "calibration_tiles", lambda _: [])
    with pytest.raises(MemoryError):
        quantised_network(model)
    assert not list((tmp_path / "cxpath" / "quantised").iterdir())


def test_calibration_tissue_is_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CALIBRATION_FIELDS", 2)
    monkeypatch.setattr(engines, "CALIBRATION_SIDE_PX", 128)
    first, second = calibration_tiles(0.5), calibration_tiles(0.5)
    np.testing.assert_array_equal(first, second)
    assert first[0].shape == (128, 128, 3)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.slow
def test_in_int8_the_score_agrees_within_the_stated_bound(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    values = []
    for words in ([], ["network.engine=openvino", "network.precision=int8"]):
        configuration = cxpath.load_configuration(None, words)
        out = tmp_path / f"out{len(words)}"
        score = cxpath.score_slide(synthetic_slide.path, out, device="cpu", configuration=configuration)
        assert score.cps
        values.append(score.cps.value)
    run = json.loads((tmp_path / "out2" / "run.json").read_text())
    assert (run["engine"], run["precision"]) == ("openvino", "int8")
    assert "openvino" in run["versions"]
    assert values[1] != values[0]
    assert abs(values[1] - values[0]) <= max(ABSOLUTE_BOUND, RELATIVE_BOUND * values[0])


BFLOAT16 = Device("cpu", torch.bfloat16, 1)
AUTO = NetworkSettings(engine="auto")


@pytest.fixture
def with_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.network.engines.importlib.util.find_spec", lambda name: name)


@pytest.mark.usefixtures("with_openvino")
def test_auto_takes_openvino_where_it_is_quicker() -> None:
    assert resolve_engine(AUTO, BFLOAT16).engine == "openvino"
    assert resolve_engine(AUTO, CPU).engine == "torch"
    assert resolve_engine(AUTO, Device("cuda", torch.bfloat16, 1)).engine == "torch"


def test_auto_takes_torch_without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.network.engines.importlib.util.find_spec", lambda _: None)
    assert resolve_engine(AUTO, BFLOAT16, ["int8"]).engine == "torch"


@pytest.mark.usefixtures("with_openvino")
@pytest.mark.parametrize(("validated", "precision"), [((), "auto"), (("int8",), "int8")])
def test_auto_takes_int8_only_where_the_card_says_it_was_validated(
    validated: tuple[str, ...], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxpath.network.engines.computes_int8", lambda _: True)
    assert resolve_engine(AUTO, BFLOAT16, validated).precision == precision
    stated = AUTO.model_copy(update={"precision": "bfloat16"})
    assert resolve_engine(stated, BFLOAT16, validated).precision == "bfloat16"
    monkeypatch.setattr("cxpath.network.engines.computes_int8", lambda _: False)
    assert resolve_engine(AUTO, BFLOAT16, validated).precision == "auto"


@pytest.mark.usefixtures("with_openvino")
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_a_stated_engine_is_never_changed(engine: Literal["torch", "openvino"]) -> None:
    stated = NetworkSettings(engine=engine)
    assert resolve_engine(stated, BFLOAT16, ["int8"]) == stated
    assert resolve_engine(stated, CPU, ["int8"]) == stated


def test_auto_with_int8_is_openvino() -> None:
    asked = NetworkSettings(engine="auto", precision="int8")
    assert resolve_engine(asked, CPU).engine == "openvino"
    assert resolve_engine(asked, CPU).precision == "int8"


SMALL_TILES = ["tiles.core_px=256"]
EARLY = [*SMALL_TILES, "adaptive.fewest_in_stratum=3", "adaptive.relative_width=0.8"]


def texts(document: dict[str, Any]) -> list[str]:
    return [warning["text"] for warning in document["warnings"]]


def score(slide: Path, out: Path, settings: list[str], mode: str) -> dict[str, Any]:
    configuration = cxpath.load_configuration(None, settings)
    cxpath.score_slide(slide, out, mode=mode, device="cpu", configuration=configuration)
    document: dict[str, Any] = json.loads((out / "score.json").read_text())
    return document


@pytest.fixture(scope="module")
def whole(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return score(synthetic_slide.path, tmp_path_factory.mktemp("whole") / "out", SMALL_TILES, "whole")


@pytest.fixture(scope="module")
def part(
    synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("part") / "out"
    return score(synthetic_slide.path, out, EARLY, "adaptive"), out


def test_a_part_is_read_and_said_so(part: tuple[dict[str, Any], Path]) -> None:
    document, out = part
    sampling = document["sampling"]
    assert 0 < sampling["share_read"] < 1
    assert sampling["tiles_drawn"] == sum(stratum["drawn"] for stratum in sampling["strata"])
    assert sampling["stopped_because"]
    assert any(f"{sampling['share_read']:.0%} of the tissue's tiles" in text for text in texts(document))
    assert "tissue&#39;s tiles were sampled" in (out / "report.html").read_text().replace("'", "&#39;")
    columns, _ = read_table(out / "tiles.parquet")
    read = sampling["tiles_drawn"] + sampling["context_tiles"]
    assert (columns["excluded"] == "").sum() == read
    assert (columns["excluded"] == NOT_SAMPLED).sum() == sampling["tiles_with_tissue"] - read
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
    synthetic_slide: SyntheticSlide, whole: dict[str, Any], tmp_path: Path
) -> None:
    every = [*SMALL_TILES, "adaptive.first_share=1.0"]
    document = score(synthetic_slide.path, tmp_path / "out", every, "adaptive")
    assert document["sampling"] is None
    assert any("the whole tissue was read" in text for text in texts(document))
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


PIXEL_MM2 = 0.01**2


def tissue() -> Tissue:
    """100 x 100 overview pixels of 10 µm; tissue is the left half, its upper half is left out as pen."""
    found = np.zeros((100, 100), bool)
    found[:, :50] = True
    pen = found.copy()
    pen[50:] = False
    overview = np.full((100, 100, 3), 230, np.uint8)
    return Tissue(overview, 10.0, found, found & ~pen, {"pen": pen}, StainBasis(), (), slide_mpp=0.5)


def drawn(*areas: tuple[RegionMeaning, tuple[int, int, int, int]]) -> Regions:
    """Regions given in overview pixels; one is 20 level-0 pixels wide."""
    return Regions(
        tuple(
            Region.meaning_of(meaning.value, meaning, scale(box(*edges), 20, 20, origin=(0, 0)))
            for meaning, edges in areas
        ),
        warnings=("annotation 1 was repaired",),
        form="ASAP XML",
        digest="ab" * 32,
    )


def test_the_tumour_bed_is_its_scored_tissue() -> None:
    areas = areas_with_regions(tissue(), drawn((RegionMeaning.TUMOUR_BED, (40, 40, 60, 60))))
    assert areas.annotated_mm2 == {"tumour bed": pytest.approx(10 * 20 * PIXEL_MM2)}
    assert areas.tumour_bed_mm2 == pytest.approx(10 * 10 * PIXEL_MM2)


def test_areas_of_one_meaning_that_overlap_count_once() -> None:
    twice = drawn((RegionMeaning.NECROSIS, (0, 0, 10, 10)), (RegionMeaning.NECROSIS, (5, 0, 15, 10)))
    areas = areas_with_regions(tissue(), twice)
    assert areas.annotated_mm2 == {"necrosis": pytest.approx(150 * PIXEL_MM2)}
    assert areas.tumour_bed_mm2 is None


def test_without_regions_nothing_is_drawn() -> None:
    areas = areas_with_regions(tissue(), None)
    assert areas == tissue().areas
    assert (areas.annotated_mm2, areas.tumour_bed_mm2) == ({}, None)
    assert region_warnings(None) == ()


def test_the_run_says_what_was_drawn_and_not_in_which_file() -> None:
    regions = drawn((RegionMeaning.TUMOUR_BED, (0, 0, 100, 50)))
    told = regions_entry(regions, 0.5)
    assert (told.form, told.digest) == ("ASAP XML", "ab" * 32)
    (area,) = told.areas
    assert (area.name, area.meaning, area.use) == ("tumour bed", "tumour bed", "include")
    assert area.area_mm2 == pytest.approx(0.5)
    assert region_warnings(regions) == (Reason(ReasonCode.REGIONS, "regions: annotation 1 was repaired"),)


# A slide in stain colours that the network does not know.


@pytest.fixture(scope="module")
def brown_and_yellow(
    synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A part of the synthetic slide as it is, and as if its DAB were yellow."""
    with cxpath.open_slide(synthetic_slide.path) as slide:
        rgb = slide.read(0, 0, 1536, 1536, 0.5)
        tissue = find_tissue(slide)
    strange = replace(tissue.stains, dab=(0.05, 0.28, 0.96))
    folder = tmp_path_factory.mktemp("colours")
    Image.fromarray(rgb).save(folder / "brown.png")
    Image.fromarray(in_other_stains(rgb, tissue.stains, strange)).save(folder / "yellow.png")
    return folder / "brown.png", folder / "yellow.png"


def test_a_strange_slide_is_read_like_a_usual_one_and_the_score_says_so(
    brown_and_yellow: tuple[Path, Path], tmp_path: Path
) -> None:
    def scored(picture: Path, wanted: str) -> tuple[int, str]:
        configuration = cxpath.load_configuration(None, [f"network.match_stains={wanted}"])
        out = tmp_path / f"{picture.stem}-{wanted}"
        cxpath.score_slide(picture, out, mpp=0.5, device="cpu", configuration=configuration)
        document = json.loads((out / "score.json").read_text())
        said = [one["text"] for one in document["warnings"] if one["code"] == "stain_colours"]
        return document["counts"]["tumour_positive"], "".join(said)

    brown, yellow = brown_and_yellow
    (usual, nothing), (matched, turned) = scored(brown, "true"), scored(yellow, "true")
    unmatched, as_it_is = scored(yellow, "false")
    assert nothing == ""
    assert "turned towards familiar ones" in turned
    assert "as they are" in as_it_is
    assert unmatched < matched <= 1.05 * usual
    assert matched >= 0.95 * usual


def test_usual_stains_are_not_remarked_on(whole: dict[str, Any]) -> None:
    assert "stain_colours" not in {warning["code"] for warning in whole["warnings"]}
