"""The CPS that is kept up to date, and what a reader looks at next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import CellTable, CellTableFacts, Kind, TissueRegion
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.review.cells import ReviewedCells, reviewed_cells
from cxpath.review.live_score import Doubt, LiveEstimate, LiveScore, audit_queue, most_uncertain, uncertainty
from cxpath.review.state import ReviewState, replay
from cxpath.scores.counts import CellCounts
from cxpath.scores.fields import lay_fields
from cxpath.scores.score import SlideScore, call_within, immune_distance_um, score_cells
from cxpath.scores.settings import Cutoff
from tests.review.records import READER, record
from tests.review.reviewed import FACTS, SCORING, THRESHOLD, random_state, random_value, small_slide

NETWORK = small_slide()
CUTOFFS = (Cutoff(1.0, "one"), Cutoff(10.0, "ten"))


def reviewed(state: ReviewState) -> ReviewedCells:
    return reviewed_cells(NETWORK, state, THRESHOLD, SCORING.field_um)


def scored(cells: ReviewedCells) -> SlideScore:
    table, by_person = cells.to_score()
    return score_cells(table, SCORING, CUTOFFS, by_person=by_person)


def same(live: LiveEstimate, whole: SlideScore) -> None:
    assert whole.counts is not None
    assert live.counts == replace(whole.counts, lymphocyte=None, macrophage=None)
    assert live.because == whole.not_evaluable_because
    assert live.cps == whole.cps


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_review_followed_step_by_step_scores_as_score_cells_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    live = LiveScore(reviewed(ReviewState()), SCORING, CUTOFFS)
    for _ in range(3):
        cells = reviewed(random_state(NETWORK, rng))
        live.update(cells)
        same(live.estimate(), scored(cells))


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_single_edits_are_followed_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = random_state(NETWORK, rng)
    live = LiveScore(reviewed(state), SCORING, CUTOFFS)
    for _ in range(3):
        row = int(rng.integers(len(NETWORK)))
        state = replace(state, edits={**state.edits, row: random_value(rng)})
        cells = reviewed(state)
        changed = live.update(cells)
        assert set(changed.tolist()) <= {row}
        same(live.estimate(), scored(cells))


def test_an_immune_cell_stops_counting_when_the_only_tumour_near_it_goes() -> None:
    far = small_slide(0)
    columns = far.columns() | {
        "x_px": np.array([100.0, 150.0, *np.linspace(4000, 5900, 20)]),
        "y_px": np.array([100.0, 100.0, *np.full(20, 5000.0)]),
        "kind": np.array([0, 1, *np.zeros(20)], dtype=np.uint8),
        "stained": np.array([0.1, 0.9, *np.zeros(20)], dtype=np.float32),
    }
    lone = type(far).from_columns(
        FACTS, **{name: columns[name] for name in ("x_px", "y_px", "kind", "stained")}
    )
    live = LiveScore(reviewed_cells(lone, ReviewState(), THRESHOLD, 500.0), SCORING)
    assert live.estimate().counts.immune_positive == 1
    gone = ReviewState(edits={0: {"removed": True}})
    live.update(reviewed_cells(lone, gone, THRESHOLD, 500.0))
    assert live.estimate().counts.immune_positive == 0
    assert live.estimate().counts.immune_positive_not_associated == 1


def test_its_fields_are_those_of_the_score() -> None:
    cells = reviewed(random_state(NETWORK, np.random.default_rng(5)))
    live = LiveScore(cells, SCORING)
    table, _ = cells.to_score()
    distance = immune_distance_um(table, SCORING.association_distance_um)
    called = call_within(table, THRESHOLD, distance, SCORING.association_distance_um)
    whole, lattice = lay_fields(called, SCORING.field_um), live.lattice()
    assert np.array_equal(lattice.left_px, whole.left_px)
    assert np.array_equal(lattice.influence(), whole.influence(), equal_nan=True)
    assert np.array_equal(lattice.numbers, whole.numbers)


def test_a_slide_that_is_not_evaluable_for_other_reasons_stays_so() -> None:
    why = Reason(ReasonCode.RESOLUTION, "too coarse")
    live = LiveScore(reviewed(ReviewState()), SCORING, already_because=(why,))
    assert live.estimate().cps is None
    assert live.estimate().because == (why,)


PLAIN_FACTS = CellTableFacts(mpp=0.5, width_px=1000, height_px=1000)
FEW_POSITIVE = CellCounts(10, 990, 10, 500, 0, 100)
STAINED_FROM = 0.6


def cells(
    probabilities: list[tuple[float, float, float]],
    stained: list[float],
    region: TissueRegion = TissueRegion.NEST,
) -> CellTable:
    stated = np.array(probabilities)
    number = len(stated)
    return CellTable.from_columns(
        PLAIN_FACTS,
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
    table = cells([(1.0, 0.0, 0.0)] * 3, [0.05, STAINED_FROM, 0.99])
    spread = uncertainty(table, FEW_POSITIVE, STAINED_FROM)
    assert spread.argmax() == 1
    numerator, denominator = FEW_POSITIVE.positive, FEW_POSITIVE.tumour
    assert spread[1] == pytest.approx(0.5 / numerator, rel=0.02)
    assert numerator < denominator


def test_an_unstained_cell_between_tumour_and_other_matters_little() -> None:
    table = cells([(0.5, 0.0, 0.5), (0.5, 0.0, 0.5)], [0.0, 1.0])
    unstained, stained = uncertainty(table, FEW_POSITIVE, STAINED_FROM)
    assert 0 < unstained < stained / 10


def test_either_doubt_alone_is_no_more_than_both() -> None:
    rng = np.random.default_rng(1)
    table = cells(rng.dirichlet([1, 1, 1], 50).tolist(), rng.random(50).tolist())
    both = uncertainty(table, FEW_POSITIVE, STAINED_FROM)
    assert (uncertainty(table, FEW_POSITIVE, STAINED_FROM, Doubt.STAINING) >= 0).all()
    assert both.mean() >= uncertainty(table, FEW_POSITIVE, STAINED_FROM, Doubt.CLASS).mean()


def test_certain_calls_and_necrosis_are_beyond_doubt() -> None:
    sure = cells([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)], [1.0, 0.0])
    assert (uncertainty(sure, FEW_POSITIVE, STAINED_FROM) == 0).all()
    dead = cells([(0.5, 0.5, 0.0)], [0.5], TissueRegion.NECROSIS)
    assert (uncertainty(dead, FEW_POSITIVE, STAINED_FROM) == 0).all()


def test_what_is_not_stated_is_taken_as_called() -> None:
    table = CellTable.from_columns(
        PLAIN_FACTS, x_px=[1.0], y_px=[1.0], kind=[Kind.TUMOUR], p_tumour=[np.nan], stained=[np.nan]
    )
    assert uncertainty(table, FEW_POSITIVE, STAINED_FROM) == [0.0]


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
