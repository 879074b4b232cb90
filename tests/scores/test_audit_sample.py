"""The frame of an audit, its allocation, and samples of unequal probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.cells import CellTable, Kind, TissueRegion
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
    linear_effect,
    sums_by_stratum,
    systematic_sample,
    variances,
    ways_from,
)
from cxpath.scores.settings import ScoringSettings
from scripts.studies.measure_audit import NETWORKS, SETTINGS, KnownSlide, simulate_slide
from tests.synthetic_cells import many, synthetic_cells

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


def test_the_four_ways_of_a_cell() -> None:
    """70 % tumour, 20 % immune, 10 % other, stained with 40 %."""
    found = ways_from(np.array([[0.7, 0.2, 0.1]]), np.array([0.4]))
    assert found[0] == pytest.approx([0.28, 0.42, 0.08, 0.22])


@given(st.integers(0, 999))
def test_ways_are_shares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = ways_from(rng.dirichlet(np.ones(3), 10), rng.random(10))
    assert (found >= -1e-12).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(10))


def test_the_linear_effect_is_the_slope_of_the_logarithm_of_the_cps() -> None:
    totals = np.array([30.0, 950.0, 20.0, 400.0])
    logs = [np.log((one[0] + one[2]) / (one[0] + one[1])) for one in (totals, *(totals + 1e-4 * np.eye(4)))]
    assert linear_effect(totals) == pytest.approx((np.array(logs[1:]) - logs[0]) / 1e-4, rel=1e-3, abs=1e-9)


def test_a_numerator_below_one_cell_counts_as_one() -> None:
    assert linear_effect(np.array([0.0, 50.0, 0.2, 9.0])) == pytest.approx([1 - 1 / 50, -1 / 50, 1.0, 0.0])
    assert linear_effect(np.zeros(4)) == pytest.approx([0.0, -1.0, 1.0, 0.0])


def test_the_variance_of_one_cell_is_that_of_a_bernoulli_draw() -> None:
    shares = np.array([[0.3, 0.7, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    assert variances(shares, np.array([2.0, 0.0, 5.0, 9.0])) == pytest.approx([4 * 0.3 * 0.7, 0.0])


def test_sums_by_stratum_leave_out_what_lies_outside() -> None:
    sums = sums_by_stratum(
        np.array([0, 8, OUTSIDE, 0]), np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0], [8.0, 80.0]])
    )
    assert sums.shape == (len(STRATA), 2)
    assert sums[[0, 8]].tolist() == [[9.0, 90.0], [2.0, 20.0]]
    assert sums.sum() == 121.0


def test_bands_are_closed_below() -> None:
    """A cell at the threshold is stained, one at the depth of asking is near, an unknown one unstained."""
    cells = many({"T-": 5})
    cells.stained[:] = [0.6, 0.599, 0.25, 0.249, np.nan]
    frame = audit_frame(cells, ScoringSettings(stained_threshold=0.6), near_from=0.25)
    stained = np.float32(0.6) >= 0.6  # compared as the score compares
    assert frame.stratum.tolist() == [0 if stained else 1, 1, 1, 2, 2]
    assert frame.asked.tolist() == [True, True, True, False, False]


def test_strata_are_named_by_class_and_band() -> None:
    frame = audit_frame(
        synthetic_cells("T+ T- L+ L- P+ P-"), ScoringSettings(stained_threshold=0.5), near_from=0.1
    )
    assert [STRATA[number] for number in frame.stratum] == [
        "tumour stained", "tumour unstained", "immune stained",
        "immune unstained", "other stained", "other unstained",
    ]  # fmt: skip


def test_the_networks_own_ways_are_those_of_the_score() -> None:
    """A stained tumour cell, an unstained one, a lymphocyte with them and one far away, a plasma cell."""
    cells = synthetic_cells("T+ T- L+ P+ " + ".. " * 60 + "L+")
    frame = audit_frame(cells, ScoringSettings(stained_threshold=0.5))
    assert frame.called.argmax(axis=1).tolist() == [0, 1, 2, 3, 3]
    assert frame.called.sum(axis=1).tolist() == [1.0] * 5


def test_stated_probabilities_are_used_only_for_the_class_they_speak_of() -> None:
    """They are made to sum up to 1; a cell without any, or in necrosis, is surely what it counts as."""
    cells = many({"T-": 4})
    for name, values in (
        ("p_tumour", [0.6, np.nan, 0.0, 0.9]),
        ("p_immune", [0.1, 0.1, 0.0, 0.05]),
        ("p_other", [0.1, 0.1, 0.0, 0.05]),
    ):
        getattr(cells, name)[:] = values
    cells.region[3] = TissueRegion.NECROSIS
    found = audit_frame(cells, ScoringSettings(stained_threshold=0.5)).probabilities
    assert found == pytest.approx(np.array([[0.75, 0.125, 0.125], [1, 0, 0], [1, 0, 0], [0, 0, 1]]))


@pytest.mark.parametrize(("guards", "each"), [(9, 3), (7, 3), (3, 1), (0, 0)])
def test_guards_are_spread_over_the_unstained_strata(slide: KnownSlide, guards: int, each: int) -> None:
    frame = audit_frame(slide.cells, SETTINGS, near_from=0.05)
    questions = draw_audit(frame, 100, guards=guards).questions
    guarding = [one for one in questions if one.guard]
    assert {STRATA[one.stratum].split()[1] for one in guarding} <= {"unstained"}
    unstained = np.flatnonzero(~ASKED)
    assert [sum(one.stratum == stratum for one in guarding) for stratum in unstained] == [each] * 3
    assert all(one.asks_stained == (ASKED[one.stratum] or one.guard) for one in questions)


def test_questions_never_exceed_the_cells() -> None:
    frame = audit_frame(synthetic_cells("T+ T- L+ L- P-"), ScoringSettings(stained_threshold=0.5))
    assert allocate_questions(frame, 100).sum() == 5
    draw = draw_audit(frame, 100)
    assert sorted(draw.rows) == [0, 1, 2, 3, 4]
    assert {question.inclusion for question in draw.questions} == {1.0}


def test_the_least_number_of_questions_is_said() -> None:
    frame = audit_frame(synthetic_cells("T+ T-"), ScoringSettings(stained_threshold=0.5))
    with pytest.raises(AuditError, match=r"19 questions are too few.*ask for at least 20"):
        draw_audit(frame, 19)
    assert draw_audit(frame, 20).rows
