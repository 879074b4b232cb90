from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cxpath.report.evaluation_page import PLOT_PX, build_evaluation_page
from cxpath.report.run_folder import RunFolderError
from cxpath.values.errors import MissingFileError

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
        "trap_shares": {},
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
    slide = {"name": "a", "arm": "held_out", "stratum": "low", "true_cps": 0.0, "called_cps": 100.0}
    other = slide | {"arm": "training_stains", "true_cps": 9.05, "called_cps": 0.0}
    html = page(tmp_path, evaluation(slides=[slide, other]))
    assert '<circle cx="0.0" cy="0.0"' in html
    assert f'y="{PLOT_PX - 3.0}"' in html
    assert "training stains" in html


def test_what_the_set_holds_is_told(tmp_path: Path) -> None:
    item = {"arm": "held_out", "label": "slides", "value": 4, "required": 300, "met": False}
    html = page(tmp_path, evaluation(composition=[item], trap_shares={"pen": 0.08, "fold": 0.071}))
    assert "≥ 300" in html
    assert "pen 8 %, fold 7 %." in html


def test_a_folder_without_an_evaluation_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        build_evaluation_page(tmp_path)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(RunFolderError, match="not readable JSON"):
        build_evaluation_page(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"schema": "cxpath/score/1"}')
    with pytest.raises(RunFolderError, match="schema is 'cxpath/score/1'"):
        build_evaluation_page(tmp_path)


def test_a_picture_that_is_gone_is_one_line(tmp_path: Path) -> None:
    entry = {"set_name": "bcdata", "title": "0", "picture": "a.png", "cells": "a.json", "mpp": 0.5}
    with pytest.raises(MissingFileError, match=r"a\.png: not readable"):
        page(tmp_path, evaluation(pictures=[entry]))
