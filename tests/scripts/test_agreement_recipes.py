"""Recipes of simulated agreement, in this process: the target of coverage itself, and what a map is worth."""

import re
import runpy
import sys

import pytest

from tests.scripts.conftest import STUDIES


def printed_by(recipe: str, *words: str) -> str:
    """Run a recipe and return what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr(sys, "argv", [recipe, *words])
        patch.setattr("builtins.print", lambda text="": lines.append(str(text)))
        runpy.run_path(str(STUDIES / recipe), run_name="__main__")
    return "\n".join(lines)


def test_intervals_of_usual_studies_hold_the_truth_often_enough() -> None:
    """93 % in the long run, so at least 89 % of 200 studies of each kind; on raw scores it is less."""
    printed = printed_by("measure_agreement_coverage.py", "200", "30")
    assert "200 studies of 30 cases" in printed
    lines = [line for line in printed.splitlines() if line.startswith(("| small", "| ordinary"))]
    assert len(lines) == 8
    for line in lines:
        shares = [float(share) for share in re.findall(r"([\d.]+)% of", line)]
        quoted = shares if len(shares) == 2 else [*shares[:2], shares[4]]
        assert min(quoted) >= 89, line


def test_the_map_study_prints_a_row_for_each_leaning() -> None:
    printed = printed_by("measure_laboratory_map.py", "4", "60")
    assert "4 studies of 60 cases" in printed
    assert printed.count("%") == 4
