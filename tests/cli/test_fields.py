import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.command import cxpath
from tests.cli.scored_folders import scored_folder
from tests.drawn_cells import drawn_cells
from tests.scores.tissues import mixed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tumour in two fields of 500 µm: 120 cells at the left, 30 at the right, lymphocytes between them."""
    row = "T+ " + "T- " * 39 + ".. " * 45 + "T- " * 10
    return scored_folder(tmp_path / "slide", drawn_cells("\n".join([row] * 3)))


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
    done = cxpath("fields", folder, "--json", "--out", tmp_path / "fields.csv")
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
    assert "holds no cells" in cxpath("fields", folder).only_line
