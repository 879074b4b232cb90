from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.scores.settings import SlideErrorSettings
from scripts.studies.coverage import CAREFUL, random_plan, write_synthetic_slide
from scripts.studies.measure_interval_width import (
    Interval,
    called_lines,
    cross_fitted,
    interval_at,
    lines_of,
    rate_lines,
)
from scripts.studies.slide_error import EvaluatedSlides


@pytest.fixture(scope="module")
def slides() -> EvaluatedSlides:
    rng = np.random.default_rng(3)
    tables = np.stack([write_synthetic_slide(random_plan(rng), CAREFUL, rng).table for _ in range(60)])
    return EvaluatedSlides(tables, np.repeat(["first", "second"], [40, 20]))


def test_the_less_a_model_errs_the_narrower_its_interval() -> None:
    careless = CAREFUL.model_copy(update={"tumour_recall_spread": 1.5, "tumour_recall": 0.6})
    narrow, wide = interval_at(5.0, CAREFUL), interval_at(5.0, careless)
    assert narrow.low < 5.0 < narrow.high
    assert 1.0 < narrow.ratio < wide.ratio
    assert interval_at(5.0, CAREFUL, 500).ratio > narrow.ratio, "fewer cells say less"


def test_each_slide_is_scored_by_others_and_mostly_covered(slides: EvaluatedSlides) -> None:
    found = cross_fitted(slides)
    assert [one.arm for one in found] == slides.arm.tolist()
    assert np.mean([one.covers for one in found]) > 0.8


def test_a_slide_without_tumour_has_no_score(slides: EvaluatedSlides) -> None:
    without = slides.tables.copy()
    without[0, :2], without[0, :, :2] = 0, 0
    assert len(cross_fitted(replace(slides, tables=without))) == len(without) - 1


def test_an_interval_from_nought_is_endless() -> None:
    assert Interval(1.0, 0.0, 4.0).ratio == float("inf")
    assert Interval(1.0, 0.5, 4.0, truth=4.0).covers
    assert not Interval(1.0, 0.5, 4.0, truth=4.1).covers
    assert not Interval(1.0, 0.5, 4.0).covers, "what is not known is not covered"


def test_the_tables_name_every_score_group_and_arm(slides: EvaluatedSlides) -> None:
    text = "\n".join(lines_of(slides))
    assert "60 slides; 5,000 tumour cells" in text
    assert "| 5 |" in text
    assert "| 0 to 100 | 60 |" in text
    assert "| first | 40 |" in text
    assert "| second | 20 |" in text
    assert "| second, fitted without it | 20 |" in text


def test_the_error_term_itself_is_no_constant() -> None:
    assert interval_at(5.0, SlideErrorSettings()).ratio > interval_at(5.0, CAREFUL).ratio


def test_rates_are_listed_by_score_and_recall_by_arm() -> None:
    """A slide of CPS 20: 80 of 100 stained tumour cells found, 30 of 60 stained immune cells."""
    table = np.zeros((6, 6), dtype=np.int64)
    table[0, [0, 5]], table[1, [0, 1]], table[2, [2, 5]], table[3, 3] = (80, 20), (7, 693), (30, 30), 200
    slides = EvaluatedSlides(np.repeat(table[None], 12, axis=0), np.repeat(["one", "two"], 6))
    lines = list(rate_lines(slides))
    of_group = next(line for line in lines if line.startswith("| 12 to 30 | 12 |"))
    assert [cell.split(",")[0].strip() for cell in of_group.split("|")[3:6]] == ["0.8", "0.01", "0.5"]
    assert "| two | 0.80, 0.50 |" in lines


def test_the_true_score_is_set_against_the_called_one() -> None:
    """Ten slides of 100 tumour cells: 5 called positive, and truly 5, 10, 15 … 50."""
    tables = np.zeros((11, 6, 6), dtype=np.int64)
    for row, missed in enumerate(range(0, 50, 5)):
        tables[row, 0, :2], tables[row, 1, 1] = (5, missed), 95 - missed
    tables[10, 5, 5] = 7  # no tumour: no score
    slides = EvaluatedSlides(tables, np.repeat("one", 11))
    (line,) = list(called_lines(slides))[2:]
    group, number, ratios = line.strip("| ").split(" | ")
    assert (group, number) == ("3 to 8", "10")
    assert [float(one) for one in ratios.split(", ")] == pytest.approx([1.45, 5.5, 9.55, 10.0], abs=0.06)
