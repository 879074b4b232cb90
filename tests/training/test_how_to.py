"""What the how-to shows must be what the software takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cxpath.app.fine_tune import FIGURES
from cxpath.data.cells import FINE_CLASSES
from cxpath.training.annotations import ClassMap, Trained
from cxpath.training.settings import FineTuneSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "fine-tune.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_its_class_map_and_its_defaults_are_true(page: str) -> None:
    class_map, defaults = (
        tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    )
    assert ClassMap.model_validate(class_map).states_absence
    assert FineTuneSettings.model_validate(defaults) == FineTuneSettings()


def test_it_describes_every_key_class_and_figure(page: str) -> None:
    for key in (*ClassMap.model_fields, *Trained.model_fields, *FINE_CLASSES):
        assert f"`{key}`" in page or f"`[{key}]`" in page, key
    for key in FineTuneSettings.model_fields:
        assert re.search(rf"^{key} = |\[{key}\]", page, re.MULTILINE), key
    for figure in FIGURES.values():
        assert figure.label in page
