from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts, Kind, TissueRegion
from cxpath.review.queues import Doubt, audit_queue, most_uncertain, uncertainty
from cxpath.review.state import ReviewState, replay
from cxpath.scores.counts import CellCounts
from tests.review.records import READER, record

FACTS = CellTableFacts(mpp=0.5, width_px=1000, height_px=1000)
COUNTS = CellCounts(10, 990, 10, 500, 0, 100)
THRESHOLD = 0.6


def cells(
    probabilities: list[tuple[float, float, float]],
    stained: list[float],
    region: TissueRegion = TissueRegion.NEST,
) -> CellTable:
    stated = np.array(probabilities)
    number = len(stated)
    return CellTable.from_columns(
        FACTS,
        x_px=np.arange(number),
        y_px=np.arange(number),
        kind=stated.argmax(axis=1),
        p_tumour=stated[:, 0],
        p_immune=stated[:, 1],
        p_other=stated[:, 2],
        stained=stained,
        region=np.full(number, region),
    )


def test_a_cell_at_the_threshold_is_the_most_doubtful() -> None:
    table = cells([(1.0, 0.0, 0.0)] * 3, [0.05, THRESHOLD, 0.99])
    spread = uncertainty(table, COUNTS, THRESHOLD)
    assert spread.argmax() == 1
    numerator, denominator = COUNTS.positive, COUNTS.tumour
    assert spread[1] == pytest.approx(0.5 / numerator, rel=0.02)
    assert numerator < denominator


def test_an_unstained_cell_between_tumour_and_other_matters_little() -> None:
    table = cells([(0.5, 0.0, 0.5), (0.5, 0.0, 0.5)], [0.0, 1.0])
    unstained, stained = uncertainty(table, COUNTS, THRESHOLD)
    assert 0 < unstained < stained / 10


def test_either_doubt_alone_is_no_more_than_both() -> None:
    rng = np.random.default_rng(1)
    table = cells(rng.dirichlet([1, 1, 1], 50).tolist(), rng.random(50).tolist())
    both = uncertainty(table, COUNTS, THRESHOLD)
    assert (uncertainty(table, COUNTS, THRESHOLD, Doubt.STAINING) >= 0).all()
    assert both.mean() >= uncertainty(table, COUNTS, THRESHOLD, Doubt.CLASS).mean()


def test_certain_calls_and_necrosis_are_beyond_doubt() -> None:
    sure = cells([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)], [1.0, 0.0])
    assert (uncertainty(sure, COUNTS, THRESHOLD) == 0).all()
    dead = cells([(0.5, 0.5, 0.0)], [0.5], TissueRegion.NECROSIS)
    assert (uncertainty(dead, COUNTS, THRESHOLD) == 0).all()


def test_what_is_not_stated_is_taken_as_called() -> None:
    table = CellTable.from_columns(
        FACTS, x_px=[1.0], y_px=[1.0], kind=[Kind.TUMOUR], p_tumour=[np.nan], stained=[np.nan]
    )
    assert uncertainty(table, COUNTS, THRESHOLD) == [0.0]


def test_the_most_uncertain_come_first_and_only_usable_ones() -> None:
    spread = np.array([0.1, 0.5, 0.0, 0.5, 0.3, 0.9])
    usable = np.array([True, True, True, True, True, False])
    assert most_uncertain(spread, usable, 3).tolist() == [1, 3, 4]
    assert most_uncertain(spread, usable, 99).tolist() == [1, 3, 4, 0]
    assert not len(most_uncertain(spread, np.zeros(6, dtype=bool), 5))


def test_the_queue_contains_what_a_reader_has_not_answered() -> None:
    queue = audit_queue(replay(record()), READER)
    assert (queue.answered, len(queue.open), queue.done) == (2, 10, False)
    assert [question.row for question in queue.open] == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert audit_queue(replay(record()), "somebody else").answered == 0
    assert audit_queue(ReviewState(), READER).done
