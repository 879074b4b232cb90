"""The recipes for SpatialData and napari run as they stand, where these libraries are installed.

They are not among the test libraries: with all they need, both take more than a gigabyte. The cells come from
a file, so that the recipes need no cxpath and run in an environment of their own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cxpath.io.foreign_cells import write_h5ad
from tests.docs.pages import ROOT
from tests.synthetic_cells import synthetic_cells

pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

PAGE = ROOT / "docs" / "how-to" / "other-tools.md"
RECIPES = dict(
    re.findall(r"<!-- recipe: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)
WITHOUT_A_WINDOW = {"napari.run()": "assert [layer.name for layer in viewer.layers] == ['tumour cells, µm']"}


def test_there_are_recipes() -> None:
    assert set(RECIPES) == {"spatialdata", "napari"}
    for name, recipe in RECIPES.items():
        compile(recipe, name, "exec")


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: it is no test library, for its size")
    write_h5ad(synthetic_cells("T+ T- L+\nM- P- T+"), tmp_path / "cells.h5ad")
    recipe = RECIPES[name]
    for shown, instead in WITHOUT_A_WINDOW.items():
        recipe = recipe.replace(shown, instead)
    (tmp_path / "recipe.py").write_text(recipe, encoding="utf-8")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
