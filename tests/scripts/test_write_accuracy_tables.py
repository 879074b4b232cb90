"""The tables of an evaluation go where the page marks it, and nothing else of the page changes."""

from __future__ import annotations

import json
from pathlib import Path

from cxpath.documents import Evaluation
from scripts.studies.write_accuracy_tables import without_subgroups
from tests.report.test_evaluation_page import FIGURE, evaluation
from tests.scripts.conftest import ROOT, RunScript

NAME = "write_accuracy_tables.py"
PAGE = "# Accuracy\n\n<!-- real: begin -->\nyesterday\n<!-- real: end -->\nkept\n"


def evaluated(folder: Path) -> Path:
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(evaluation()), encoding="utf-8")
    return folder


def test_what_stands_between_the_marks_is_replaced(tmp_path: Path, run_script: RunScript) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    folder = evaluated(tmp_path / "real")
    for _ in range(2):  # a second time changes nothing
        ended = run_script(NAME, page, folder)
        assert ended.returncode == 0, ended.stderr
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Accuracy\n\n<!-- real: begin -->\n\nModel `trial`")
    assert text.endswith("<!-- real: end -->\nkept\n")
    assert "yesterday" not in text
    assert text.count("centre threshold") == 1


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path, run_script: RunScript) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Accuracy\n", encoding="utf-8")
    ended = run_script(NAME, page, evaluated(tmp_path / "real"))
    assert ended.returncode == 1
    assert "<!-- real: begin -->" in ended.stderr
    assert page.read_text(encoding="utf-8") == "# Accuracy\n"


def test_the_shipped_page_has_the_marks_that_make_evaluate_needs() -> None:
    page = (ROOT / "docs" / "notebook" / "accuracy.md").read_text(encoding="utf-8")
    for name in ("restained", "real", "synthetic"):
        assert page.index(f"<!-- {name}: begin -->") < page.index(f"<!-- {name}: end -->")


def test_the_page_of_results_has_no_tables_of_its_own() -> None:
    assert ": begin -->" not in (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")


def test_figures_of_some_slides_alone_are_left_out() -> None:
    whole = Evaluation.model_validate(
        evaluation(figures=[FIGURE, FIGURE | {"name": "macro_f1_pale_dab"}, FIGURE | {"name": "macro_f1"}])
    )
    assert [figure.name for figure in without_subgroups(whole).figures] == ["f1", "macro_f1"]
