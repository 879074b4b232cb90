"""`cxpath score --regions`: the same drawing from three tools gives the same score, warnings and picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import cxpath
from tests.cli.given_cells import as_csv, countable_cells
from tests.conftest import SyntheticSlide
from tests.io.test_regions import FORMS, Place

BED: list[Place] = [(0, 0), (2048, 0), (2048, 4096), (0, 4096)]
NECROSIS: list[Place] = [(0, 0), (2048, 0), (2048, 1024), (0, 1024)]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    as_csv(countable_cells(), path)
    return path


def score(slide: SyntheticSlide, cells: Path, roi: Path, out: Path, *options: str) -> dict[str, Any]:
    done = cxpath(
        "score", slide.path, "--cells", cells, "--regions", roi, "--out", out, "--device", "cpu", *options
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((out / "score.json").read_text())
    return document


def test_three_tools_one_score(synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path) -> None:
    found = {}
    for form, written in FORMS.items():
        roi = tmp_path / "drawn.dat"
        roi.write_text(written([("Tumor bed", BED), ("Necrosis", NECROSIS)]))
        out = tmp_path / form.replace(" ", "_")
        found[form] = score(synthetic_slide, cells, roi, out)
        run = json.loads((out / "run.json").read_text())
        assert run["regions"]["form"] == form
        assert [(area["name"], area["meaning"], area["use"]) for area in run["regions"]["areas"]] == [
            ("Tumor bed", "tumour bed", "include"),
            ("Necrosis", "necrosis", "exclude"),
        ]
        assert run["regions"]["areas"][0]["area_mm2"] == pytest.approx(0.512 * 1.024, rel=1e-6)
        assert "drawn.dat" not in (out / "run.json").read_text()
    qupath, asap, imagescope = found.values()
    assert qupath["counts"] == asap["counts"] == imagescope["counts"]
    assert qupath["cps"] == asap["cps"] == imagescope["cps"]
    tissue = qupath["tissue"]
    assert tissue == asap["tissue"] == imagescope["tissue"]
    assert tissue["tumour_bed_mm2"] == pytest.approx(tissue["scored_mm2"])
    assert 0 < tissue["annotated_mm2"]["necrosis"] < tissue["annotated_mm2"]["tumour bed"]


def test_only_cells_in_the_drawn_area_count(
    synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path
) -> None:
    """The drawing contains the left half of the cells' block: columns 0 to 9 of 20."""
    roi = tmp_path / "left.xml"
    half: list[Place] = [(0, 0), (1400, 0), (1400, 4096), (0, 4096)]
    roi.write_text(FORMS["ASAP XML"]([("ROI", half)]))
    document = score(
        synthetic_slide, cells, roi, tmp_path / "out", "--set", "scoring.minimum_tumour_cells=10"
    )
    expected = countable_cells()
    inside = expected.x_px < 1400
    assert 0 < inside.sum() < len(expected)
    assert document["counts"]["other"] == int((inside & (expected.kind == 2)).sum())
    assert document["adequacy"]["viable_tumour_cells"] == int((inside & (expected.kind == 0)).sum())


def test_repairs_stand_among_the_warnings(
    synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path
) -> None:
    roi = tmp_path / "bow.xml"
    bow_tie: list[Place] = [(0, 0), (4096, 0), (0, 5000), (4096, 5000)]
    roi.write_text(FORMS["ImageScope XML"]([("Tumor", bow_tie), ("Stroma", NECROSIS)]))
    settings = ('regions.pass_over=["Stroma"]', "scoring.minimum_tumour_cells=1")
    document = score(
        synthetic_slide, cells, roi, tmp_path / "out", *(word for one in settings for word in ("--set", one))
    )
    warnings = [warning["text"] for warning in document["warnings"] if warning["code"] == "regions"]
    assert any(
        "layer 1, region 1 (Tumor): its outline crosses or touches itself" in said for said in warnings
    )
    assert any("reaches beyond the slide's edge" in said for said in warnings)
    assert any("passed over, as configured: 'Stroma' (1)" in said for said in warnings)


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_class_ends_in_one_line(
    form: str, synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path
) -> None:
    roi = tmp_path / "drawn.dat"
    roi.write_text(FORMS[form]([("Nekrose", NECROSIS)]))
    given = ("--regions", roi, "--cells", cells)
    done = cxpath("score", synthetic_slide.path, *given, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "areas of unknown classes: 'Nekrose' (1)" in done.only_line
    assert not (tmp_path / "out").exists()


def test_a_class_to_ignore_leaves_its_areas_out(
    synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path
) -> None:
    roi = tmp_path / "drawn.geojson"
    roi.write_text(FORMS["QuPath GeoJSON"]([("Tumor", BED), ("Stroma", NECROSIS)]))
    document = score(synthetic_slide, cells, roi, tmp_path / "ignored", "--ignore-class", "Stroma")
    assert any("'Stroma' (1)" in warning["text"] for warning in document["warnings"])
    roi.write_text(FORMS["QuPath GeoJSON"]([("Tumor", BED)]))
    assert score(synthetic_slide, cells, roi, tmp_path / "without")["counts"] == document["counts"]


def test_a_name_in_place_of_a_class_stands_among_the_warnings(
    synthetic_slide: SyntheticSlide, cells: Path, tmp_path: Path
) -> None:
    roi = tmp_path / "drawn.geojson"
    drawn = json.loads(FORMS["QuPath GeoJSON"]([("Tumor", BED)]))
    drawn[0]["properties"] = {"objectType": "annotation", "name": "Necrosis"}
    roi.write_text(json.dumps(drawn))
    warnings = score(synthetic_slide, cells, roi, tmp_path / "out")["warnings"]
    assert any("annotation 1 (no class) is named 'Necrosis'" in warning["text"] for warning in warnings)
