"""Recipes of simulated agreement, in this process: the target of coverage itself, and what a map is worth."""

import re
import runpy
import sys

import pytest

from tests.scripts.conftest import STUDIES

ROW = re.compile(r"\| (?P<scale>[^,|]+), ICC [\d.]+ \| (?P<kind>[\w-]+) \| (?P<share>[\d.]+)% \|")


def printed_by(recipe: str, *words: str) -> str:
    """Run a recipe and return what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr(sys, "argv", [recipe, *words])
        patch.setattr("builtins.print", lambda text="": lines.append(str(text)))
        runpy.run_path(str(STUDIES / recipe), run_name="__main__")
    return "\n".join(lines)


def test_bootstrap_intervals_on_log_scores_hold_the_truth_often_enough() -> None:
    """Of 2,000 zero-heavy studies of 60 cases, 93 % of intervals hold it."""
    printed = printed_by("measure_icc_coverage.py", "2000", "60")
    share = {(row["scale"], row["kind"]): float(row["share"]) for row in ROW.finditer(printed)}
    assert "2,000 studies of 60 cases" in printed
    assert share["log10(score + 1)", "bootstrap"] >= 93
    assert share["raw", "bootstrap"] > share["raw", "F-based"] + 10


def test_the_map_study_prints_a_row_for_each_leaning() -> None:
    printed = printed_by("measure_laboratory_map.py", "4", "60")
    assert "4 studies of 60 cases" in printed
    assert printed.count("%") == 4
