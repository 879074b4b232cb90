from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from cxpath.cli.output import FAILED, NOT_EVALUABLE
from cxpath.data import bundled
from cxpath.data.cells import CellTable
from cxpath.slide.open import open_slide
from tests.cli.command import cxpath
from tests.cli.given_cells import as_csv, countable_cells
from tests.cli.scored_folders import scored_folder
from tests.conftest import SyntheticSlide
from tests.scores.tissues import mixed
from tests.slide.dicom_slides import STUDY, write_dicom_series
from tests.slide.synthetic_slides import write_tiff
from tests.synthetic_cells import many, synthetic_cells


def cells(positive: int, negative: int) -> CellTable:
    return many({"T+": positive, "T-": negative})


def test_two_blocks_are_pooled_and_each_part_is_shown(tmp_path: Path) -> None:
    a, b = scored_folder(tmp_path / "a", cells(10, 190)), scored_folder(tmp_path / "b", cells(80, 720))
    done = cxpath("cases", a, b, "--json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    case = json.loads(done.stdout)
    assert case == json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))
    assert case["schema"] == "cxpath/case/2"
    assert case["cps"]["value"] == pytest.approx(9.0)
    assert case["cps"]["cutoffs"]["1"]["basis"] == "label"
    assert [part["name"] for part in case["slides"]] == ["a.svs", "b.svs"]
    assert "Research Use Only" in case["research_use"]


def test_the_highest_block_and_the_rule_in_words(tmp_path: Path) -> None:
    a, b = scored_folder(tmp_path / "a", cells(10, 190)), scored_folder(tmp_path / "b", cells(160, 640))
    done = cxpath("cases", a, b, "--rule", "highest")
    assert "rule     highest: the score of the evaluable slide with the highest CPS" in done.stdout
    assert "CPS      20  (95% interval " in done.stdout
    assert (
        "a.svs: CPS 5.0 (the network's own), 200 tumour cells (20% of the case); not the score of the case"
        in done.stdout
    )


def test_a_slide_that_is_not_evaluable_is_listed_and_not_counted(tmp_path: Path) -> None:
    a, poor = scored_folder(tmp_path / "a", cells(10, 190)), scored_folder(tmp_path / "poor", cells(30, 20))
    done = cxpath("cases", a, poor)
    assert "CPS      5.0" in done.stdout
    assert "left out poor.svs: only 50 viable tumour cells" in done.stdout


def test_a_case_of_poor_slides_only_is_not_evaluable(tmp_path: Path) -> None:
    done = cxpath("cases", scored_folder(tmp_path / "poor", cells(3, 20)), "--json")
    assert done.returncode == NOT_EVALUABLE
    case = json.loads(done.stdout)
    assert (case["evaluable"], case["cps"], case["slides"]) == (False, None, [])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"assay": "sp263"}, "assay is 'sp263'"),
        ({"tumour": "lung"}, "tumour is 'lung'"),
        ({"provenance": {"model_digest": "ff" * 32}}, "model is 'ffff"),
        ({"marker": "her2"}, "contains marker her2"),
        ({"scoring": {"association_distance_um": 20.0}}, "other settings"),
        ({"slide": {"name": "b", "digest": "a", "mpp": 0.5}}, "given twice"),
    ],
)
def test_slides_that_do_not_belong_together_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    a = scored_folder(tmp_path / "a", cells(10, 190))
    done = cxpath("cases", a, scored_folder(tmp_path / "b", cells(10, 190), **changes))
    assert done.returncode == FAILED
    assert what in done.only_line


def test_a_result_of_an_earlier_cxpath_says_to_score_again(tmp_path: Path) -> None:
    old = scored_folder(tmp_path / "old", cells(10, 190), schema="cxpath/score/1")
    line = cxpath("cases", old).only_line
    assert "old/score.json: schema is 'cxpath/score/1', not 'cxpath/score/2'" in line
    assert "score the slide again" in line


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"scoring": None}, "scoring: "),
        ({"tps": {"value": "high"}}, "tps.value: Input should be a valid number"),
        ({"slide": {"stain": "H&E"}}, "slide.stain: is not a key of this document"),
    ],
)
def test_a_damaged_result_names_file_and_field(tmp_path: Path, changes: Any, what: str) -> None:
    line = cxpath("cases", scored_folder(tmp_path / "bad", cells(10, 190), **changes)).only_line
    assert f"bad/score.json: {what}" in line


def test_no_such_folder_is_one_line(tmp_path: Path) -> None:
    assert "no such folder" in cxpath("cases", tmp_path / "none").only_line


def test_slides_are_called_whatever_a_laboratory_calls_them(tmp_path: Path) -> None:
    """A predecessor refused identifiers that were no numbers."""
    names = ("P-24/0117 B2 «Ü»", "=1+1", "0007")
    folders = [
        scored_folder(
            tmp_path / str(number), cells(10, 190), slide={"name": name, "digest": f"{number}", "mpp": 0.5}
        )
        for number, name in enumerate(names)
    ]
    case = json.loads(cxpath("cases", *folders, "--json").stdout)
    assert tuple(part["name"] for part in case["slides"]) == names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tumour in two fields of 500 µm: 120 cells at the left, 30 at the right, lymphocytes between them."""
    row = "T+ " + "T- " * 39 + ".. " * 45 + "T- " * 10
    return scored_folder(tmp_path / "slide", synthetic_cells("\n".join([row] * 3)))


def test_fields_are_listed_with_their_places_most_tumour_first(folder: Path) -> None:
    done = cxpath("fields", folder)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["viable_tumour_cells"] for row in rows] == ["120", "30"]
    assert (rows[1]["left_um"], rows[1]["left_px"], rows[1]["centre_x_um"]) == ("1000.0", "2000.0", "1250.0")
    assert float(rows[0]["share_of_tumour_cells"]) == pytest.approx(0.8)
    assert float(rows[0]["local_cps"]) == pytest.approx(2.5)
    assert float(rows[0]["influence"]) == pytest.approx(2.0)


def test_the_table_as_json_and_as_a_file(folder: Path, tmp_path: Path) -> None:
    done = cxpath("fields", folder, "--json", "--out", tmp_path)
    document = json.loads(done.stdout)
    assert (document["schema"], document["viable_tumour_cells"]) == ("cxpath/field-table/1", 150)
    assert (tmp_path / "fields.csv").read_text(encoding="utf-8").startswith("field,left_px,top_px")


def test_fields_add_up_to_the_denominator_of_the_score(tmp_path: Path) -> None:
    slide = scored_folder(tmp_path / "big", mixed({"T+": 40, "T-": 460, "L+": 100}))
    rows = json.loads(cxpath("fields", slide, "--json").stdout)["fields"]
    score = json.loads((slide / "score.json").read_text(encoding="utf-8"))
    assert sum(row["viable_tumour_cells"] for row in rows) == score["adequacy"]["viable_tumour_cells"]
    assert len(rows) > 4


def test_a_slide_without_cells_says_why_in_one_line(folder: Path) -> None:
    (folder / "cells.parquet").unlink()
    assert "contains no cells" in cxpath("fields", folder).only_line


pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

pytest.importorskip("anndata", reason="the extra scverse is not installed")
pytest.importorskip("highdicom", reason="the extra dicom is not installed")


@pytest.fixture
def folder_export(tmp_path: Path) -> Path:
    return scored_folder(tmp_path / "a", many({"T+": 30, "T-": 90, "L+": 12}))


def test_what_was_written_is_printed(folder_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cxpath("export", folder_export, "--format", "dicom", "--format", "h5ad", "--out", out)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:3] == [f"written  {out / name}" for name in sorted_files()]
    assert "note     DICOM files refer to new UIDs" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted(sorted_files())


def test_json_lists_the_files(folder_export: Path) -> None:
    done = cxpath("export", folder_export, "--format", "h5ad", "--json")
    assert json.loads(done.stdout) == {"files": [str(folder_export / "cells.h5ad")], "remarks": []}


def test_the_overlay_for_qupath_lies_where_its_script_looks(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    as_csv(countable_cells(), tmp_path / "cells.csv")
    scored = tmp_path / "scored"
    done = cxpath("score", synthetic_slide.path, "--cells", tmp_path / "cells.csv", "--out", scored)
    assert done.returncode in {0, 4}, done.stderr
    assert cxpath("export", scored, "--format", "qupath").returncode == 0
    script = (bundled("configs") / "qupath" / "import_result.groovy").read_text(encoding="utf-8")
    for name in ("cells.geojson.gz", "overlay.geojson.gz"):
        assert name in script
        assert (scored / name).is_file()


def test_usage_and_failures_are_told_apart(folder_export: Path, tmp_path: Path) -> None:
    assert cxpath("export", folder_export).returncode == 2
    assert cxpath("export", folder_export, "--format", "dicomm").returncode == 2
    done = cxpath("export", tmp_path / "none", "--format", "h5ad")
    assert done.returncode == 1
    assert "no such folder" in done.only_line


def test_exported_cells_are_scored_as_they_were(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    """A DICOM series is scored like its TIFF twin, its export refers to it, and gives the score again."""
    with open_slide(synthetic_slide.path) as slide:
        levels = [slide.read(0, 0, 2048, 2048, slide.mpp), slide.read(0, 0, 512, 512, 4 * slide.mpp)]
    series, twin = write_dicom_series(tmp_path / "series", levels), write_tiff(tmp_path / "twin.tif", levels)
    as_csv(countable_cells(), tmp_path / "cells.csv")
    scores: list[dict[str, Any]] = []
    for path, cells in ((series, "cells.csv"), (twin, "cells.csv"), (series, "first/cells.h5ad")):
        out = tmp_path / ("first", "second", "third")[len(scores)]
        done = cxpath("score", path, "--cells", tmp_path / cells, "--out", out)
        assert done.returncode == 0, done.stderr
        scores.append(json.loads((out / "score.json").read_text()))
        formats = ("--format", "h5ad", "--format", "dicom")
        assert len(scores) > 1 or cxpath("export", out, *formats, "--slide", series).returncode == 0
    for key in ("cps", "tps", "counts", "tissue", "heterogeneity"):
        assert scores[0][key] == scores[1][key] == scores[2][key], key
    assert scores[0]["cps"]["value"] == 40
    assert pydicom.dcmread(tmp_path / "first" / "score.dcm").StudyInstanceUID == STUDY


def sorted_files() -> list[str]:
    return ["cells.h5ad", "cells.dcm", "score.dcm"]
