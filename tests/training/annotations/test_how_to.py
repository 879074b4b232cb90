"""What the how-to shows must be what the software takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cxpath.training.annotations.class_map import ClassMap, Taught
from cxpath.training.annotations.measure import FIGURES
from cxpath.training.annotations.settings import FineTuneSettings
from cxpath.values.cell_peaks import FINE_CLASSES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "fine-tune.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_its_class_map_and_its_defaults_are_true(page: str) -> None:
    class_map, defaults = (
        tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    )
    assert ClassMap.model_validate(class_map).teaches_absence
    assert FineTuneSettings.model_validate(defaults) == FineTuneSettings()


def test_it_describes_every_key_class_and_figure(page: str) -> None:
    for key in (*ClassMap.model_fields, *Taught.model_fields, *FINE_CLASSES):
        assert f"`{key}`" in page or f"`[{key}]`" in page, key
    for key in FineTuneSettings.model_fields:
        assert re.search(rf"^{key} = |\[{key}\]", page, re.MULTILINE), key
    for figure in FIGURES.values():
        assert figure.label in page
