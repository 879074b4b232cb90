from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from cxpath.data import bundled
from cxpath.slide.open import open_slide
from tests.cli.command import cxpath
from tests.cli.given_cells import as_csv, countable_cells
from tests.cli.scored_folders import scored_folder
from tests.conftest import SyntheticSlide
from tests.slide.dicom_slides import STUDY, write_dicom_series
from tests.slide.synthetic_slides import write_tiff
from tests.synthetic_cells import many

pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

pytest.importorskip("anndata", reason="the extra scverse is not installed")
pytest.importorskip("highdicom", reason="the extra dicom is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scored_folder(tmp_path / "a", many({"T+": 30, "T-": 90, "L+": 12}))


def test_what_was_written_is_printed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cxpath("export", folder, "--format", "dicom", "--format", "h5ad", "--out", out)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:3] == [f"written  {out / name}" for name in sorted_files()]
    assert "note     DICOM files refer to new UIDs" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted(sorted_files())


def test_json_lists_the_files(folder: Path) -> None:
    done = cxpath("export", folder, "--format", "h5ad", "--json")
    assert json.loads(done.stdout) == {"files": [str(folder / "cells.h5ad")], "remarks": []}


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


def test_usage_and_failures_are_told_apart(folder: Path, tmp_path: Path) -> None:
    assert cxpath("export", folder).returncode == 2
    assert cxpath("export", folder, "--format", "dicomm").returncode == 2
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
