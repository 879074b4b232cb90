"""The frame of an audit, its allocation, and samples of unequal probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.cells import CellTable, Kind
from cxpath.scores.audit_sample import (
    ASKED,
    OUTSIDE,
    STRATA,
    AuditError,
    AuditFrame,
    allocate_questions,
    audit_frame,
    draw_audit,
    inclusion_probabilities,
    systematic_sample,
)
from scripts.studies.measure_audit import NETWORKS, SETTINGS, KnownSlide, simulate_slide

SIZES = st.lists(st.floats(0, 1e3), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def slide() -> KnownSlide:
    return simulate_slide(10.0, NETWORKS["restained"], 20_000, np.random.default_rng(5))


@pytest.fixture(scope="module")
def frame(slide: KnownSlide) -> AuditFrame:
    return audit_frame(slide.cells, SETTINGS)


@given(SIZES, st.integers(1, 60))
def test_inclusion_probabilities_sum_up_to_the_number_and_follow_the_sizes(
    sizes: list[float], number: int
) -> None:
    given_sizes = np.array(sizes)
    found = inclusion_probabilities(given_sizes, number)
    assert found.sum() == pytest.approx(min(number, len(sizes)))
    assert ((found > 0) & (found <= 1 + 1e-12)).all()
    order = np.argsort(given_sizes, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


def test_a_cell_that_outweighs_all_others_is_certain() -> None:
    found = inclusion_probabilities(np.array([100.0, 1.0, 1.0, 2.0]), 2)
    assert found == pytest.approx([1.0, 0.25, 0.25, 0.5])


@given(SIZES, st.integers(1, 30), st.integers(0, 9))
def test_a_systematic_sample_takes_no_cell_twice(sizes: list[float], number: int, seed: int) -> None:
    inclusion = inclusion_probabilities(np.array(sizes), number)
    drawn = systematic_sample(inclusion, np.array(sizes), np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn.tolist())) == min(number, len(sizes))


def test_cells_are_drawn_as_often_as_their_inclusion_probability_says() -> None:
    sizes = np.array([5.0, 1.0, 1.0, 2.0, 0.5, 3.0])
    inclusion = inclusion_probabilities(sizes, 3)
    rng = np.random.default_rng(1)
    times = np.zeros(6)
    for _ in range(2_000):
        times[systematic_sample(inclusion, sizes, rng)] += 1
    assert times / 2_000 == pytest.approx(inclusion, abs=0.04)


def test_weights_of_a_draw_give_the_number_of_cells_of_each_stratum(frame: AuditFrame) -> None:
    draws = [draw_audit(frame, 200, seed) for seed in range(20)]
    weights = np.zeros(len(STRATA))
    for question in (one for draw in draws for one in draw.questions):
        weights[question.stratum] += 1 / question.inclusion / len(draws)
    assert weights == pytest.approx(frame.sizes, rel=0.25)
    assert all(draw.near_from == frame.near_from for draw in draws)


def test_more_is_asked_where_more_is_in_doubt(frame: AuditFrame) -> None:
    certain = frame.cells.take(np.flatnonzero(frame.probabilities.max(axis=1) > 0.999))
    sure = audit_frame(certain, SETTINGS)
    shares = allocate_questions(frame, 300) / 300
    of_sure = allocate_questions(sure, 300) / 300
    assert shares[~ASKED].sum() > of_sure[~ASKED].sum()


def test_the_rarer_positive_cells_are_the_nearer_to_the_threshold_they_are_asked_about() -> None:
    depths = [
        audit_frame(
            simulate_slide(cps, NETWORKS["new_laboratory"], 20_000, np.random.default_rng(8)).cells, SETTINGS
        ).near_from
        for cps in (0.3, 30.0)
    ]
    assert depths[0] > depths[1]


def test_cells_outside_the_regions_are_in_no_stratum_and_never_drawn(slide: KnownSlide) -> None:
    inside = slide.cells.x_px < np.median(slide.cells.x_px)
    frame = audit_frame(slide.cells, SETTINGS, inside)
    assert ((frame.stratum == OUTSIDE) == ~inside).all()
    assert frame.sizes.sum() == inside.sum()
    assert (frame.called[~inside] == 0).all()
    assert inside[list(draw_audit(frame, 100).rows)].all()


def test_an_immune_cell_next_to_tumour_that_is_not_scored_does_not_count(slide: KnownSlide) -> None:
    cells = slide.cells
    tumour = cells.kind == Kind.TUMOUR
    frame = audit_frame(cells, SETTINGS, ~tumour)
    assert frame.called[:, 2].sum() == 0
    with pytest.raises(AuditError, match="no cell of known staining"):
        audit_frame(cells, SETTINGS, np.zeros(len(cells), dtype=bool))


def test_a_stated_depth_is_kept(slide: KnownSlide, frame: AuditFrame) -> None:
    deeper = audit_frame(slide.cells, SETTINGS, near_from=0.01)
    assert deeper.near_from == 0.01
    assert deeper.asked.sum() > frame.asked.sum()
    above = audit_frame(slide.cells, SETTINGS, near_from=0.9)
    assert (above.asked == (slide.cells.stained >= 0.6)).all()


def test_cells_of_unknown_staining_are_not_asked_about_it(slide: KnownSlide) -> None:
    few: CellTable = slide.cells.take(np.arange(500))
    unknown = replace(few, stained=np.where(np.arange(500) < 100, np.nan, few.stained).astype(np.float32))
    assert not audit_frame(unknown, SETTINGS).asked[:100].any()
