from pathlib import Path

import numpy as np
import pytest

from cxpath.scores.settings import SlideErrorSettings
from scripts.studies.coverage import Coverage, draw_coverage


@pytest.fixture
def study() -> Coverage:
    """Sixty slides of CPS 0.05 to 90, half of them covered by each interval."""
    cps = np.geomspace(0.05, 90, 60)
    bounds = np.column_stack([cps * 0.5, np.where(np.arange(60) % 2, cps * 2, cps * 0.9)])
    many, sure, even = np.full(60, 5_000), np.ones((60, 2)), np.zeros((60, 2), dtype=bool)
    return Coverage(
        many, many, cps, cps, cps, bounds, bounds, bounds, bounds, sure, even, SlideErrorSettings()
    )


def test_the_plot_names_every_interval_and_the_number_of_slides(study: Coverage, tmp_path: Path) -> None:
    draw_coverage(study, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "<!-- 60 simulated slides; band: 93 to 97 % -->" in text
    for words in ("tumour's interval", "plain binomial", "percentile bootstrap"):
        assert words in text.replace("&#x27;", "'")


def test_the_same_study_gives_the_same_bytes(study: Coverage, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_coverage(study, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
