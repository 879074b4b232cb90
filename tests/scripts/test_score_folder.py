from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.scripts.conftest import RunScript

pytestmark = pytest.mark.xdist_group("scripts")


def read_summary(results: Path) -> dict[str, dict[str, str]]:
    with (results / "summary.csv").open(newline="", encoding="utf-8-sig") as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


@pytest.fixture
def folder(slide: Path, tmp_path: Path) -> Path:
    """A folder with a good slide, empty glass, a text file with an evil name, and what is not a slide."""
    slides = tmp_path / "slides"
    slides.mkdir()
    shutil.copy(slide, slides / "case.svs")
    glass = np.full((1024, 1024, 3), 240, np.uint8)
    tifffile.imwrite(
        slides / "glass.tif",
        glass,
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
        photometric="rgb",
    )
    (slides / "=broken.svs").write_text("this is not a slide", encoding="utf-8")
    (slides / "notes.txt").write_text("left alone", encoding="utf-8")
    return slides


def test_every_slide_is_tried_and_stands_in_the_summary(
    run_script: RunScript, folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    ended = run_script("score_folder.py", folder, results)
    assert ended.returncode == 3, ended.stderr
    rows = read_summary(results)
    assert set(rows) == {"case.svs", "glass.tif", "'=broken.svs"}

    score = json.loads((results / "case.svs" / "score.json").read_text(encoding="utf-8"))
    assert rows["case.svs"]["status"] == "scored"
    assert float(rows["case.svs"]["cps"]) == score["cps"]["value"]
    assert float(rows["case.svs"]["low"]) <= score["cps"]["value"] <= float(rows["case.svs"]["high"])
    assert int(rows["case.svs"]["tumour_cells"]) == score["adequacy"]["viable_tumour_cells"]

    assert rows["glass.tif"]["status"] == "not evaluable"
    assert rows["glass.tif"]["cps"] == ""
    assert "no tissue was found" in rows["glass.tif"]["reason"]

    assert rows["'=broken.svs"]["status"] == "failed"
    assert "looks like a text file" in rows["'=broken.svs"]["reason"]


def test_a_second_run_scores_only_what_is_missing(
    run_script: RunScript, folder: Path, scored: tuple[Path, object], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    shutil.copytree(scored[0], results / "case.svs")
    written = (results / "case.svs" / "score.json").stat().st_mtime_ns
    (folder / "=broken.svs").unlink()
    ended = run_script("score_folder.py", folder, results)
    assert ended.returncode == 0, ended.stderr
    assert (results / "case.svs" / "score.json").stat().st_mtime_ns == written
    assert {name: row["status"] for name, row in read_summary(results).items()} == {
        "case.svs": "scored",
        "glass.tif": "not evaluable",
    }
