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

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, REFERENCE = DOCS / "how-to" / "fine-tune.md", DOCS / "reference" / "models.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_its_class_map_and_its_settings_are_read_and_its_defaults_are_true(page: str) -> None:
    class_map, settings = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert ClassMap.model_validate(tomllib.loads(class_map)).states_absence
    stated = FineTuneSettings.model_validate(tomllib.loads(settings))
    assert stated != FineTuneSettings()
    defaults = dict(re.findall(r"^(\w+) = .*default ([\d.]+)", settings, re.MULTILINE))
    assert float(defaults.pop("synthetic_share")) == FineTuneSettings().synthetic_share
    assert float(defaults.pop("steps")) == FineTuneSettings().schedule.steps
    assert not defaults


def test_it_describes_every_key_class_and_figure(page: str) -> None:
    for key in (*ClassMap.model_fields, *Trained.model_fields, *FINE_CLASSES):
        assert f"`{key}`" in page or f"`[{key}]`" in page, key
    assert "<!-- reference: settings cxpath.training:FineTuneSettings -->" in REFERENCE.read_text("utf-8")
    for figure in FIGURES.values():
        assert figure.label in page
