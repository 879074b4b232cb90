"""The gallery's list and the table of fields come back as they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxpath.documents.fields import FieldRow, FieldsDocument, FieldTable
from cxpath.errors import DocumentError


def test_the_gallery_of_a_run_comes_back(finished_runs: dict[str, Path], tmp_path: Path) -> None:
    gallery = FieldsDocument.read(finished_runs["normal"] / "fields" / "fields.json")
    assert [one.number for one in gallery.fields] == [1, 2, 3]
    gallery.write(tmp_path / "fields.json")
    assert FieldsDocument.read(tmp_path / "fields.json") == gallery


def test_a_damaged_gallery_names_the_field(finished_runs: dict[str, Path], tmp_path: Path) -> None:
    text = (finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8")
    (tmp_path / "fields.json").write_text(text.replace('"bucket"', '"bucked"', 1), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.bucket: is missing"):
        FieldsDocument.read(tmp_path / "fields.json")


def test_a_local_cps_that_no_field_can_have_is_refused(
    finished_runs: dict[str, Path], tmp_path: Path
) -> None:
    document = json.loads((finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8"))
    document["fields"][0]["local_cps"] = 1e300
    (tmp_path / "fields.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.local_cps"):
        FieldsDocument.read(tmp_path / "fields.json")


def test_the_table_comes_back(tmp_path: Path) -> None:
    row = FieldRow(
        field=1, left_px=0.0, top_px=0.0, left_um=0.0, top_um=0.0, centre_x_um=250.0, centre_y_um=250.0,
        side_um=500.0, viable_tumour_cells=90, tumour_positive=9, immune_positive=0,
        share_of_tumour_cells=1.0, local_cps=10.0, influence=None,
    )  # fmt: skip
    table = FieldTable(viable_tumour_cells=90, fields=(row,))
    table.write(tmp_path / "table.json")
    assert FieldTable.read(tmp_path / "table.json") == table


@pytest.mark.parametrize("name", ["x" * 5000, "../../secret.png", "a/b.png", "", ".", "/etc/x.png"])
def test_a_picture_outside_the_folder_is_refused(
    finished_runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    document = json.loads((finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8"))
    document["fields"][0]["plain"] = name
    (tmp_path / "fields.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.plain"):
        FieldsDocument.read(tmp_path / "fields.json")
