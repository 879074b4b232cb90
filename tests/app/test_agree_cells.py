"""Cells marked by a person against others: positions, classes, the marked area, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.agree_cells import CLASSES, CellsRequest, cell_lines, compare_cells
from cxpath.documents.agreement import CellAgreementDocument
from cxpath.errors import CxpathError, MissingFileError, StudyError
from tests.cell_tables import write_cells_geojson
from tests.cli.scored_folders import scored_folder
from tests.synthetic_cells import many

MPP = 0.5
Points = dict[str, list[tuple[float, float]]]
GRID = [(60.0 * x, 60.0 * y) for x in range(5) for y in range(5)]


def exported(points: Points, outlines: tuple[tuple[float, float, float, float], ...] = ()) -> str:
    """QuPath's points by class name, and rectangles without a class."""
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiPoint", "coordinates": [list(place) for place in places]},
            "properties": {"objectType": "annotation", "classification": {"name": name}},
        }
        for name, places in points.items()
    ]
    for left, top, right, bottom in outlines:
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"objectType": "annotation"},
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features})


def written(path: Path, points: Points, *outlines: tuple[float, float, float, float]) -> Path:
    path.write_text(exported(points, outlines), encoding="utf-8")
    return path


def compared(reference: Path, other: Path, **options: Any) -> CellAgreementDocument:
    stated: dict[str, Any] = {"mpp": MPP, "replicates": 100} | options
    return compare_cells(CellsRequest((reference,), (other,), **stated))


def figure(document: CellAgreementDocument, key: str, radius: str = "6 µm") -> float | None:
    (found,) = [one for one in document.statistics if one.key == key and one.radius in {radius, None}]
    return found.estimate


def test_a_file_against_itself_agrees_in_full(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID[:10], "Tumor: Negative": GRID[10:]})
    document = compared(path, path)
    assert document.classes == CLASSES
    (image,) = document.images
    assert (image.name, image.reference, image.compared) == ("a.geojson", 25, 25)
    assert [figure(document, f"cell_{key}") for key in ("recall", "precision", "class")] == [1.0, 1.0, 1.0]
    assert [document.confusion[place][place] for place in range(2)] == [10, 15]
    assert sum(map(sum, document.confusion)) == 25


def test_distances_are_in_micrometres(tmp_path: Path) -> None:
    one = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    moved = written(tmp_path / "b.geojson", {"Tumor: Positive": [(x + 10.0, y) for x, y in GRID]})
    document = compared(one, moved)
    assert figure(document, "cell_recall", "4 µm") == 0.0, "10 px of 0.5 µm are 5 µm"
    assert figure(document, "cell_recall", "5 µm") == 1.0
    assert figure(compared(one, moved, mpp=0.25), "cell_recall", "3 µm") == 1.0


def test_classes_are_compared_where_cells_were_found(tmp_path: Path) -> None:
    one = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    other = written(tmp_path / "b.geojson", {"Tumor: Negative": GRID[:5], "Tumor: Positive": GRID[5:20]})
    document = compared(one, other)
    assert figure(document, "cell_recall") == pytest.approx(20 / 25)
    assert figure(document, "cell_precision") == 1.0
    assert figure(document, "cell_class") == pytest.approx(15 / 20)
    assert document.confusion[0][:2] == (15, 5)


def test_cells_outside_the_drawn_outline_are_counted_and_left_out_on_both_sides(tmp_path: Path) -> None:
    one = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID}, (-10.0, -10.0, 130.0, 250.0))
    other = written(tmp_path / "b.geojson", {"Tumor: Positive": GRID[5:]})
    (image,) = (document := compared(one, other)).images
    assert (image.reference, image.reference_outside) == (15, 10)
    assert (image.compared, image.compared_outside) == (10, 10)
    assert any(
        "outside the marked area and left out: 10 marked, 10 compared" in line
        for line in cell_lines(document)
    )


def test_without_an_outline_the_hull_of_the_marked_cells_counts(tmp_path: Path) -> None:
    one = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    far = written(tmp_path / "b.geojson", {"Tumor: Positive": [*GRID, (5_000.0, 5_000.0), (250.0, 100.0)]})
    (image,) = compared(one, far).images
    assert (image.compared, image.compared_outside) == (26, 1), "5 µm beyond the hull still counts"


def test_an_outline_without_any_cell_is_refused(tmp_path: Path) -> None:
    one = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID}, (900.0, 900.0, 999.0, 999.0))
    with pytest.raises(StudyError, match="no marked cell lies within the drawn outlines"):
        compared(one, one)


def test_a_results_folder_knows_its_scale_and_another_one_is_refused(tmp_path: Path) -> None:
    cells = many({"T+": 30, "T-": 30})
    folder = scored_folder(tmp_path / "run", cells)
    export = folder / "cells.geojson.gz"
    write_cells_geojson([cells], export, cells.facts, (0, 0, 10_000, 10_000), stained_threshold=0.5)
    assert figure(compared(export, folder, mpp=None), "cell_class") == 1.0
    with pytest.raises(StudyError, match=r"is at 0\.5 µm per pixel, not 0\.25"):
        compared(export, folder, mpp=0.25)


def test_files_without_a_scale_and_unequal_lists_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    with pytest.raises(StudyError, match="µm per pixel is not known"):
        compared(path, path, mpp=None)
    for reference, other in (((), ()), ((path,), ()), ((path,), (path, path))):
        with pytest.raises(StudyError, match="references and"):
            compare_cells(CellsRequest(reference, other, mpp=MPP))


def test_what_is_missing_or_contains_no_cell_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    with pytest.raises(MissingFileError, match=r"gone\.geojson"):
        compared(path, tmp_path / "gone.geojson")
    empty = written(tmp_path / "empty.geojson", {})
    with pytest.raises(CxpathError, match=r"empty\.geojson"):
        compared(path, empty)


def test_every_line_of_the_print_has_its_figure(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", {"Tumor: Positive": GRID})
    document = compared(path, path)
    lines = cell_lines(document)
    assert lines[0] == "image    a.geojson: 25 marked, 25 compared"
    assert len(lines) == 1 + len(document.statistics) + 1
    assert lines[-1] == document.research_use
