"""What every recipe has in common: it is short, and it says how it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.conftest import RECIPES, RunScript

EVERY_RECIPE = sorted(RECIPES.glob("*.py"))


def test_there_are_recipes() -> None:
    assert {path.name for path in EVERY_RECIPE} >= {
        "score_one_slide.py",
        "score_folder.py",
        "cells_to_table.py",
    }


@pytest.mark.parametrize("recipe", EVERY_RECIPE, ids=lambda path: path.name)
def test_a_recipe_has_at_most_sixty_lines(recipe: Path) -> None:
    assert len(recipe.read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    "name",
    [
        "score_one_slide.py",
        "score_folder.py",
        "cells_to_table.py",
        "make_contact_sheet.py",
        "compare_with_manual_reads.py",
    ],
)
def test_without_arguments_a_recipe_says_how_it_is_run(name: str, run_script: RunScript) -> None:
    ended = run_script(name)
    assert ended.returncode == 1
    assert ended.stderr.startswith("usage: python ")
    assert name.removesuffix(".py") in ended.stderr
