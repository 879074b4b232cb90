"""The page and the table of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cxpath.documents.evaluation import Evaluation
from cxpath.errors import DocumentError, MissingFileError
from cxpath.report.evaluation_page import (
    PLOT_PX,
    SIDE_PX,
    build_evaluation_page,
    error_in_words,
    reliability_diagrams,
    resolution_plots,
    write_evaluation_table,
)

FIGURE = {
    "set_name": "bcdata", "name": "f1", "label": "labelled cells found, F1", "value": 0.785, "low": 0.759,
    "high": 0.808, "level": 0.95, "n": 1305, "n_of": "labels", "unit": "images", "units": 13,
    "method": "percentile bootstrap over 13 images", "mpp": 0.25, "mpp_source": "assumed",
    "target": {"at_least": 0.82, "at_most": None}, "met": False,
}  # fmt: skip


def evaluation(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "cxpath/evaluation/1",
        "research_use": "For Research Use Only. Not for use in diagnostic procedures.",
        "model": {"name": "trial", "version": "1", "digest": "ab" * 32, "cxpath": "0.1", "device": "cpu",
                  "centre_threshold": 0.4, "stained_threshold": 0.8,
                  "precision": "float32"},
        "limit": None,
        "sets": [{"name": "bcdata", "title": "BCData <sample>", "mpp": 0.25, "mpp_source": "assumed",
                  "items": 13}],
        "figures": [
            FIGURE,
            FIGURE | {"set_name": "brown_nuclei", "label": "brown", "value": None, "low": None, "high": None,
                      "target": None, "met": None},
        ],
        "composition": [],
        "hard_negative_shares": {},
        "slides": [],
        "pictures": [],
        "skipped": [],
    } | changes  # fmt: skip


def page(folder: Path, document: dict[str, Any]) -> str:
    (folder / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    return build_evaluation_page(folder).read_text(encoding="utf-8")


def test_figures_stand_with_target_interval_and_resolution(tmp_path: Path) -> None:
    html = page(tmp_path, evaluation())
    for words in ("0.785", "0.759 to 0.808", "≥ 0.82", "missed", "1305 labels", "0.25 µm/px, assumed"):
        assert words in html
    assert "BCData &lt;sample&gt;" in html
    assert html.count("For Research Use Only") >= 2
    assert "brown nuclei" in html, "figures over several sets have their own section"
    assert "Not measured" not in html
    assert "<svg" not in html


def test_what_was_skipped_is_said(tmp_path: Path) -> None:
    html = page(tmp_path, evaluation(skipped=[{"item": "real", "reason": "CXPATH_DATA is not set"}]))
    assert "real: CXPATH_DATA is not set" in html


def test_pictures_lie_in_the_file_with_their_cells(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 80, 3), 200, np.uint8))
    cells = {"x_px": [20.0, 60.0], "y_px": [30.0, 30.0], "kind": [0, 1], "positive": [True, False]}
    (tmp_path / "a.json").write_text(json.dumps(cells))
    entry = {"set_name": "bcdata", "title": "0", "picture": "a.png", "cells": "a.json", "mpp": 0.5}
    html = page(tmp_path, evaluation(pictures=[entry]))
    assert html.count("data:image/jpeg;base64,") == 1
    assert "http" not in html.replace("http-equiv", "")
    marked = cv2.imread(str(tmp_path / "contact_sheet" / "bcdata-0.png"))
    assert marked is not None
    zoom = marked.shape[1] / 80
    rows, columns = int(30 * zoom), (int(20 * zoom), int(60 * zoom))
    assert marked[rows, columns[0]].tolist() == [0, 120, 230], "a positive tumour cell: filled, orange"
    assert marked[rows, columns[1]].tolist() == [200, 200, 200], "a negative immune cell: hollow"
    assert (marked[rows - 20 : rows + 20, columns[1] - 20 : columns[1] + 20] != 200).any()


def test_scores_are_plotted_true_across_called_up(tmp_path: Path) -> None:
    slide = {"name": "a", "arm": "held_out", "stratum": "low", "true_cps": 0.0, "predicted_cps": 100.0}
    other = slide | {"arm": "training_stains", "true_cps": 9.05, "predicted_cps": 0.0}
    html = page(tmp_path, evaluation(slides=[slide, other]))
    assert '<circle cx="0.0" cy="0.0"' in html
    assert f'y="{PLOT_PX - 3.0}"' in html
    assert "training stains" in html


def test_what_the_set_holds_is_told(tmp_path: Path) -> None:
    item = {"arm": "held_out", "label": "slides", "value": 4, "required": 300, "met": False}
    html = page(tmp_path, evaluation(composition=[item], hard_negative_shares={"pen": 0.08, "fold": 0.071}))
    assert "≥ 300" in html
    assert "pen 8 %, fold 7 %." in html


def test_a_folder_without_an_evaluation_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        build_evaluation_page(tmp_path)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(DocumentError, match="not readable JSON"):
        build_evaluation_page(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"schema": "cxpath/score/1"}')
    with pytest.raises(DocumentError, match="schema is 'cxpath/score/1'"):
        build_evaluation_page(tmp_path)


def test_a_picture_that_is_gone_is_one_line(tmp_path: Path) -> None:
    entry = {"set_name": "bcdata", "title": "0", "picture": "a.png", "cells": "a.json", "mpp": 0.5}
    with pytest.raises(MissingFileError, match=r"a\.png: not readable"):
        page(tmp_path, evaluation(pictures=[entry]))


CURVE = {
    "method": "found cells",
    "bin_width": 0.1,
    "from_probability": [0.0, 0.5, 0.9],
    "count": [100, 25, 1],
    "mean_probability": [0.0, 0.5, 1.0],
    "observed_share": [0.1, 0.4, 1.0],
    "expected_error": {"value": 0.0991, "low": 0.081, "high": 0.12, "level": 0.95, "count": 3, "method": ""},
}


def judged(**changes: Any) -> dict[str, Any]:
    return evaluation(
        reliability=[{"set_name": "synthetic_held_out", "of": "stained", "curve": CURVE | changes}]
    )


def read(document: dict[str, Any]) -> Evaluation:
    return Evaluation.model_validate_json(json.dumps(document), strict=True)


def test_stated_runs_across_and_true_runs_up() -> None:
    found: list[Any] = reliability_diagrams(read(judged()))
    (diagram,) = found
    places = [(point["x"], point["y"]) for point in diagram["points"]]
    assert places == [(0.0, 0.9 * SIDE_PX), (0.5 * SIDE_PX, 0.6 * SIDE_PX), (SIDE_PX, 0.0)]
    radii = [point["radius"] for point in diagram["points"]]
    assert radii[0] == pytest.approx(2 * radii[1]), "four times the cells, four times the area"
    assert radii[2] > 2, "one cell can still be seen"
    assert "25 cells: stated 0.500, true 0.400" in diagram["points"][1]["words"]


def test_an_error_without_an_interval_is_a_number_alone() -> None:
    error = read(judged()).reliability[0].curve.expected_error
    assert error_in_words(error) == "0.099 (0.081 to 0.120)"
    assert error_in_words(error.model_copy(update={"low": None, "high": None})) == "0.099"


def test_the_page_shows_the_diagram_and_its_error(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps(judged()), encoding="utf-8")
    html = build_evaluation_page(tmp_path).read_text(encoding="utf-8")
    assert html.count("<circle") == 3
    assert "Error 0.099 (0.081 to 0.120); 126 found cells." in html
    assert "synthetic held out" in html


def test_an_evaluation_without_reliability_has_no_diagrams(tmp_path: Path) -> None:
    document = evaluation()
    document.pop("reliability", None)
    assert reliability_diagrams(read(document)) == []
    (tmp_path / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    shown = build_evaluation_page(tmp_path).read_text(encoding="utf-8")
    assert "Calibration of the probabilities" not in shown


def table(folder: Path, **changes: object) -> list[str]:
    (folder / "evaluation.json").write_text(json.dumps(evaluation(**changes)), encoding="utf-8")
    return write_evaluation_table(folder).read_text(encoding="utf-8").splitlines()


def test_a_line_a_figure_with_target_and_verdict(tmp_path: Path) -> None:
    lines = table(tmp_path)
    assert lines[0].startswith("Model `trial` 1, weights `abababababab`")
    assert "For Research Use Only" in lines[0]
    assert "**BCData <sample>** (13 measured, 0.25 µm/px assumed)" in lines
    expected = "| labelled cells found, F1 | ≥ 0.82 **missed** | 0.785 | 0.759 to 0.808 | 1305 labels |"
    assert expected in lines
    assert "| brown |  | none |  | 1305 labels |" in lines


RESOLUTION_CURVE = {
    "set_name": "bcdata", "assumed_mpp": 0.25, "images": 13, "labels": 1305,
    "points": [
        {"mpp": 0.25, "f1": 0.785, "detections_per_label": 1.1, "brown_classified_positive": 0.0,
         "tumour_classified_tumour": 0.5},
        {"mpp": 0.5, "f1": 0.6, "detections_per_label": 1.4, "brown_classified_positive": None,
         "tumour_classified_tumour": 0.9},
    ],
}  # fmt: skip


def test_a_set_of_assumed_resolution_is_a_table_over_it(tmp_path: Path) -> None:
    lines = table(tmp_path, curves=[RESOLUTION_CURVE])
    assert "**BCData <sample>** (13 images, 1305 labels)" in lines
    assert "| µm/px | 0.25 | 0.5 |" in lines
    assert "| cells found, F1 | 0.785 | 0.600 |" in lines
    assert "| brown nuclei called PD-L1 positive tumour | 0.000 |  |" in lines
    gated = "labelled cells found, F1 0.785 (0.759 to 0.808), ≥ 0.82 **missed**"
    assert f"Target, at 0.25 µm/px assumed beforehand: {gated}." in lines
    assert not any(line.startswith("| labelled cells found") for line in lines)
    assert any(line.startswith("| brown |") for line in lines), "figures of several sets stay"


def test_a_curve_is_drawn_from_fine_to_coarse(tmp_path: Path) -> None:
    html = page(tmp_path, evaluation(curves=[RESOLUTION_CURVE]))
    assert "Images without a stated resolution" in html
    (plot,) = resolution_plots(read(evaluation(curves=[RESOLUTION_CURVE])))
    assert plot["title"] == "BCData <sample>"
    lines = plot["lines"]
    assert isinstance(lines, list)
    assert [line["label"] for line in lines] == [
        "cells found, F1", "tumour nuclei called tumour", "brown nuclei called PD-L1 positive tumour"
    ]  # fmt: skip
    first, second = lines[0]["points"]
    assert first["x"] == plot["assumed"] < second["x"]
    assert first["y"] < second["y"], "a worse figure lies lower"
    assert len(lines[2]["points"]) == 1, "what was not there to measure is no point"
    assert "Images without a stated resolution" not in page(tmp_path, evaluation())


def test_met_targets_and_ingredients(tmp_path: Path) -> None:
    met = FIGURE | {"met": True, "value": 0.83, "target": {"at_least": None, "at_most": 0.9}}
    item = {"arm": "held_out", "label": "slides", "value": 300, "required": 300, "met": True}
    lines = table(tmp_path, figures=[met], composition=[item])
    assert any("≤ 0.9 **met** | 0.830" in line for line in lines)
    assert lines[-1] == "| slides | ≥ 300 | 300 |"
    columns = {line.count("|") for line in lines if line.startswith("| labelled")}
    assert columns == {6}
