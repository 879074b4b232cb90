from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.data import Calibration, CellPeaks, Kind
from cxpath.metrics import Decision
from scripts.studies.measure_recalibration import (
    WAYS,
    SeenSlide,
    fit_mixture,
    guarded,
    report,
    shifted_calls,
    tables_by_way,
    tumour_f1,
    tumour_log_odds,
)
from tests.training.peak_examples import peaks_at

DECISION = Decision(Calibration(), 0.3, 0.5)


def two_kinds(number: int, share: float, middle: float) -> np.ndarray:
    """Return log-odds of two kinds of cells, whose middle lies away from even odds."""
    rng = np.random.default_rng(1)
    tumour = rng.random(number) < share
    values: np.ndarray = middle + rng.normal(np.where(tumour, 2.0, -2.0), 0.7)
    return values


def random_peaks(number: int) -> CellPeaks:
    """Return peaks with random logits."""
    rng = np.random.default_rng(2)
    nowhere, kind = np.zeros(number), np.zeros(number, np.uint8)
    return replace(
        peaks_at(nowhere, nowhere, kind, nowhere, np.full(number, 0.9)),
        class_logits=rng.normal(0, 3, (number, 10)).astype(np.float32),
        stain_logits=rng.normal(0, 3, (number, 2)).astype(np.float32),
    )


@pytest.mark.parametrize("way", ["Otsu, guarded", "mixture, guarded"])
def test_where_both_kinds_are_there_the_threshold_lies_between_them(way: str) -> None:
    assert WAYS[way](two_kinds(4000, 0.4, 1.5)) == pytest.approx(1.5, abs=0.4)


@pytest.mark.parametrize(
    "values",
    [
        two_kinds(4000, 0.0, 1.0),
        two_kinds(300, 0.4, 1.0),
        two_kinds(4000, 0.4, 6.0),
        two_kinds(4000, 0.03, 0),
    ],
    ids=["one kind", "few cells", "far away", "hardly any tumour"],
)
def test_elsewhere_the_guard_keeps_even_odds(values: np.ndarray) -> None:
    assert guarded(lambda _: 9.0)(values) == 0.0


def test_a_mixture_is_found_whatever_its_shares() -> None:
    found = fit_mixture(two_kinds(20_000, 0.8, 0.5))
    assert found.means == pytest.approx([-1.5, 2.5], abs=0.1)
    assert found.shares == pytest.approx([0.2, 0.8], abs=0.02)


def test_the_log_odds_are_those_of_the_calls() -> None:
    peaks = random_peaks(200)
    log_odds = tumour_log_odds(peaks.class_logits, Calibration())
    for threshold in (0.0, 1.5, -2.0):
        tumour = shifted_calls(peaks, DECISION, threshold, 0.5).kind == Kind.TUMOUR
        likely = log_odds - threshold > 0
        assert (likely <= tumour).all(), "more likely than all else together is tumour"


def test_every_way_counts_every_field_and_is_reported() -> None:
    peaks = random_peaks(600)

    def count(calls: object) -> np.ndarray:
        table = np.zeros((6, 6), np.int64)
        np.add.at(table, (np.arange(600) % 5, calls.places), 1)  # type: ignore[attr-defined]
        return table

    slide = SeenSlide((peaks, peaks), (count, count))
    tables, thresholds = tables_by_way(slide, DECISION, 0.5)
    assert tables.shape == (len(WAYS), 6, 6)
    assert (tables.sum(axis=(1, 2)) == 1200).all()
    assert thresholds[0] == 0.0
    lines = list(report("trial", [(tables, thresholds)] * 3))
    assert len(lines) == 3 + len(WAYS)
    assert f"| {tumour_f1(3 * tables[0]):.3f} |" in lines[3]
