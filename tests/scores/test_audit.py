"""The full study is `scripts/studies/measure_audit.py`; here a reduced run, and what each part promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.scores import (
    AuditAnswer,
    AuditDraw,
    AuditedScore,
    AuditError,
    AuditFrame,
    CellAnswer,
    MissedSquare,
    answers_for_width,
    audit_frame,
    audited_estimate,
    draw_audit,
    draw_squares,
    estimate_audit,
    probability_at_least,
)
from cxpath.scores.audit import tissue_interval
from cxpath.scores.audit_estimate import quantile_of_range
from cxpath.scores.audit_sample import STRATA, allocate_questions
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.settings import Cutoff, Decision, ScoringSettings
from scripts.studies.measure_audit import (
    NETWORKS,
    SETTINGS,
    AuditStudy,
    KnownSlide,
    describe_audits,
    run_audit_study,
    simulate_slide,
    simulated_answers,
)

FOUR_CPS = (0.6, 3.3, 15.0, 53.0)


@pytest.fixture(scope="module")
def audit_study() -> AuditStudy:
    return run_audit_study(
        240, seed=11, cells=15_000, networks=("restained", "misses"), cps=FOUR_CPS, questions=(60, 100)
    )


@pytest.fixture(scope="module")
def slide() -> KnownSlide:
    return simulate_slide(10.0, NETWORKS["restained"], 20_000, np.random.default_rng(5))


@pytest.fixture(scope="module")
def frame(slide: KnownSlide) -> AuditFrame:
    return audit_frame(slide.cells, SETTINGS)


def _true_answers(slide: KnownSlide, draw: AuditDraw) -> list[AuditAnswer]:
    return simulated_answers(slide, draw, 0.0, np.random.default_rng(1))


def _audited(slide: KnownSlide, frame: AuditFrame, **changes: object) -> AuditedScore:
    draw = draw_audit(frame, 100, seed=3)
    return estimate_audit(frame, draw, _true_answers(slide, draw), **changes)  # type: ignore[arg-type]


def test_intervals_cover_at_60_and_at_100_questions_whatever_the_network(audit_study: AuditStudy) -> None:
    for network in ("restained", "misses"):
        own = audit_study.network == network
        assert (audit_study.covered()[own].mean(axis=0) >= 0.93).all(), describe_audits(audit_study)


def test_the_bundled_networks_errors_leave_14_percent_at_100_questions(audit_study: AuditStudy) -> None:
    own = audit_study.network == "restained"
    error = np.sqrt((audit_study.relative_error()[own] ** 2).mean(axis=0))
    assert error[1] < 0.16  # 0.12 over slides of any CPS from 0.3 to 80
    assert error[1] < error[0]


def test_an_audit_of_every_cell_gives_the_true_score(slide: KnownSlide) -> None:
    rows = np.random.default_rng(1).permutation(len(slide.cells))[:600]
    few = KnownSlide(slide.cells.take(rows), slide.kind[rows], slide.stained[rows])
    frame = audit_frame(few.cells, SETTINGS, near_from=0.0)
    draw = draw_audit(frame, 600)
    score = estimate_audit(frame, draw, _true_answers(few, draw))
    assert score.cps == pytest.approx(few.cps)
    assert score.interval == pytest.approx((few.cps, few.cps))
    assert score.answered == 600


def test_a_draw_is_repeated_by_its_seed_and_takes_no_cell_twice(frame: AuditFrame) -> None:
    first, again, other = (draw_audit(frame, 100, seed) for seed in (4, 4, 5))
    assert first == again
    assert first != other
    assert len(set(first.rows)) == 100
    strata = [question.stratum for question in first.questions]
    assert strata != sorted(strata)
    asked = {question.stratum: question.asks_stained for question in first.questions if not question.guard}
    assert {STRATA[stratum] for stratum, stained in asked.items() if not stained} <= {
        "tumour unstained", "immune unstained", "other unstained"
    }  # fmt: skip


def test_every_stratum_gets_three_cells_or_all_it_has(frame: AuditFrame) -> None:
    given = allocate_questions(frame, 100)
    assert given.sum() == 100
    assert (given >= np.minimum(frame.sizes, 3)).all()
    rows = np.flatnonzero(frame.stratum == 2)
    rare = audit_frame(frame.cells.take(rows), SETTINGS, near_from=frame.near_from)
    assert allocate_questions(rare, 50).tolist() == [0, 0, 50, 0, 0, 0, 0, 0, 0]


def test_cannot_tell_is_counted_both_ways(slide: KnownSlide, frame: AuditFrame) -> None:
    draw = draw_audit(frame, 100, seed=3)
    answers = _true_answers(slide, draw)
    sure = estimate_audit(frame, draw, answers)
    assert sure.bounds == (sure.cps, sure.cps)
    unsure = [replace(one, answer=CellAnswer.CANNOT_TELL) for one in answers[:15]] + answers[15:]
    score = estimate_audit(frame, draw, unsure)
    assert score.bounds[0] < score.cps < score.bounds[1]
    assert (score.answered, score.cannot_tell) == (100, 15)


def test_stained_cells_far_below_the_threshold_widen_upwards_and_never_move_the_score(
    slide: KnownSlide, frame: AuditFrame
) -> None:
    draw = draw_audit(frame, 100, seed=3)
    answers = _true_answers(slide, draw)
    guards = {question.row for question in draw.questions if question.guard}
    assert len(guards) == 9
    found = [
        replace(one, answer=CellAnswer.TUMOUR, stained=True) if one.row in guards else one for one in answers
    ]
    negative = [
        replace(one, answer=CellAnswer.TUMOUR, stained=False) if one.row in guards else one for one in answers
    ]
    stained, unstained = (estimate_audit(frame, draw, told) for told in (found, negative))
    assert stained.cps == unstained.cps
    assert stained.interval[1] > unstained.interval[1]
    assert stained.hidden_cells > unstained.hidden_cells
    assert any("threshold is doubtful" in warning for warning in stained.warnings)
    assert not any("threshold is doubtful" in warning for warning in unstained.warnings)


def test_missed_cells_widen_the_interval_on_the_side_they_speak_for(
    slide: KnownSlide, frame: AuditFrame
) -> None:
    plain = _audited(slide, frame)
    squares = draw_squares(slide.cells, 6, seed=2)
    assert len(squares) == 6
    told = [replace(one, tumour_stained=2, tumour_unstained=0, immune_stained=0) for one in squares]
    upwards = _audited(slide, frame, squares=told)
    told = [replace(one, tumour_stained=0, tumour_unstained=4, immune_stained=0) for one in squares]
    downwards = _audited(slide, frame, squares=told)
    assert plain.cps == upwards.cps == downwards.cps
    assert upwards.interval[1] > plain.interval[1]
    assert downwards.interval[0] < plain.interval[0]
    assert (plain.squares, upwards.squares) == (0, 6)
    assert any("0 squares" in warning for warning in plain.warnings)
    assert not any("squares" in warning for warning in upwards.warnings)


def test_squares_hold_a_cell_and_lie_on_the_slide(slide: KnownSlide) -> None:
    for square in draw_squares(slide.cells, 20, seed=2):
        x, y = slide.cells.x_px - square.left_px, slide.cells.y_px - square.top_px
        inside = (x >= 0) & (x < square.side_px) & (y >= 0) & (y < square.side_px)
        assert inside.any()
        assert square.side_px * slide.cells.facts.mpp == pytest.approx(50.0)


def _flat_slide(stained: float, number: int = 400) -> tuple[AuditFrame, AuditDraw]:
    facts = CellTableFacts(mpp=0.5, width_px=4_000, height_px=4_000)
    along = np.linspace(10, 3_900, number)
    kind = np.where(np.arange(number) % 4 == 3, Kind.IMMUNE, Kind.TUMOUR)
    table = CellTable.from_columns(facts, x_px=along, y_px=along, kind=kind, stained=np.full(number, stained))
    frame = audit_frame(table, SETTINGS)
    return frame, draw_audit(frame, 60, seed=1)


def _as_called(frame: AuditFrame, draw: AuditDraw, *, stained: bool) -> list[AuditAnswer]:
    kinds = {Kind.TUMOUR: CellAnswer.TUMOUR, Kind.IMMUNE: CellAnswer.IMMUNE, Kind.OTHER: CellAnswer.OTHER}
    return [AuditAnswer(row, kinds[Kind(frame.cells.kind[row])], stained) for row in draw.rows]


def test_a_saturated_slide_is_capped_at_100() -> None:
    frame, draw = _flat_slide(0.99)
    score = estimate_audit(frame, draw, _as_called(frame, draw, stained=True))
    assert score.cps == 100.0
    assert score.interval[1] == 100.0


def test_a_slide_without_a_positive_answer_is_0_with_an_upper_limit() -> None:
    frame, draw = _flat_slide(0.2)
    score = estimate_audit(frame, draw, _as_called(frame, draw, stained=False))
    assert score.cps == 0.0
    assert score.interval[0] == 0.0
    assert 2.0 < score.interval[1] < 60.0


def test_a_slide_whose_cells_are_all_far_below_the_threshold_says_so() -> None:
    frame, draw = _flat_slide(0.001)
    score = estimate_audit(frame, draw, _as_called(frame, draw, stained=False))
    assert score.cps == 0.0
    assert any("cannot find positive cells" in warning for warning in score.warnings)


def test_answers_that_do_not_fit_the_draw_are_refused(slide: KnownSlide, frame: AuditFrame) -> None:
    draw = draw_audit(frame, 100, seed=3)
    answers = _true_answers(slide, draw)
    foreign = next(row for row in range(len(slide.cells)) if row not in draw.rows)
    with pytest.raises(AuditError, match="has no answer"):
        estimate_audit(frame, draw, answers[1:])
    with pytest.raises(AuditError, match="answered twice"):
        estimate_audit(frame, draw, [*answers, answers[0]])
    with pytest.raises(AuditError, match=f"cell {foreign} was not sampled"):
        estimate_audit(frame, draw, [*answers, replace(answers[0], row=foreign)])
    asked = next(place for place, one in enumerate(draw.questions) if one.asks_stained)
    answers[asked] = AuditAnswer(answers[asked].row, CellAnswer.TUMOUR, None)
    with pytest.raises(AuditError, match="about its staining"):
        estimate_audit(frame, draw, answers)


def test_too_few_questions_no_tumour_and_no_cells_are_refused(frame: AuditFrame) -> None:
    with pytest.raises(AuditError, match="too few"):
        draw_audit(frame, 5)
    with pytest.raises(AuditError, match="no cell"):
        audit_frame(frame.cells.take(np.zeros(0, dtype=int)), SETTINGS)
    whole, draw = _flat_slide(0.9, 40)
    nobody = [AuditAnswer(row, CellAnswer.OTHER) for row in draw.rows]
    with pytest.raises(AuditError, match="no viable tumour cell"):
        estimate_audit(whole, draw, nobody)


def test_an_immune_answer_far_from_every_tumour_cell_does_not_count() -> None:
    facts = CellTableFacts(mpp=0.5, width_px=40_000, height_px=1_000)
    x = np.concatenate([np.linspace(10, 900, 100), np.linspace(30_000, 30_900, 30)])
    kind = np.repeat([Kind.TUMOUR, Kind.IMMUNE], [100, 30])
    table = CellTable.from_columns(
        facts, x_px=x, y_px=np.full(130, 500.0), kind=kind, stained=np.repeat([0.01, 0.99], [100, 30])
    )
    frame = audit_frame(table, SETTINGS)
    draw = draw_audit(frame, 60, seed=1)
    score = estimate_audit(frame, draw, _as_called(frame, draw, stained=True))
    assert score.cps == 0.0
    square = MissedSquare(30_000.0, 400.0, 1_000.0, 0, 0, 0)
    assert estimate_audit(frame, draw, _as_called(frame, draw, stained=True), [square]).cps == 0.0


@pytest.mark.parametrize(
    ("cutoff", "probability"), [(2.0, 0.975), (4.0, 0.5), (16.0, 0.025), (1e-6, 1.0), (99.0, 0.0)]
)
def test_the_chance_to_reach_a_cutoff_follows_the_interval(cutoff: float, probability: float) -> None:
    score = AuditedScore(4.0, (2.0, 16.0), 0.95, (4.0, 4.0), 100, 0, (), 20_000.0, 0.0, 0)
    assert probability_at_least(score, cutoff) == pytest.approx(probability, abs=0.002)


def test_half_the_width_needs_four_times_the_answers() -> None:
    assert answers_for_width(100, (1.0, 16.0), 4.0, cells=400) == 400
    assert answers_for_width(100, (1.0, 1.5), 4.0, cells=400) == 100
    assert answers_for_width(100, (0.0, 16.0), 4.0, cells=400) is None
    assert answers_for_width(100, (1.0, 16.0), 4.0, cells=399) is None


def test_the_chance_to_reach_a_cutoff_at_the_ends_of_the_scale() -> None:
    none = AuditedScore(0.0, (0.0, 2.0), 0.95, (0.0, 0.0), 100, 0, (), 20_000.0, 0.0, 0)
    assert probability_at_least(none, 5.0) == pytest.approx(0.025)
    assert 0.025 < probability_at_least(none, 1.0) < 0.6
    full = AuditedScore(100.0, (80.0, 100.0), 0.95, (100.0, 100.0), 100, 0, (), 20_000.0, 0.0, 0)
    assert probability_at_least(full, 80.0) == pytest.approx(0.975)
    assert probability_at_least(full, 100.0) == pytest.approx(0.5)


SCORE = AuditedScore(4.0, (3.0, 5.5), 0.95, (4.0, 4.0), 100, 0, (), 20_000.0, 0.0, 0)
CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def fields(positive: list[int]) -> GroupedCounts:
    """Fields of 500 tumour cells each, so many of them positive."""
    found = np.array(positive, dtype=np.int64)
    none = np.zeros_like(found)
    return GroupedCounts(found, 500 - found, none, none, none)


EVEN, UNEVEN = fields([20] * 40), fields([400] * 2 + [0] * 38)


def test_the_tumour_is_less_certain_than_the_slide_and_most_where_fields_differ() -> None:
    low, high = SCORE.interval
    even, uneven = tissue_interval(SCORE, EVEN), tissue_interval(SCORE, UNEVEN)
    assert uneven[0] < even[0] < low < SCORE.cps < high < even[1] < uneven[1]


def test_cut_offs_are_decided_for_the_tumour() -> None:
    near = replace(SCORE, cps=6.0, interval=(4.5, 8.0))
    even = {one.cutoff.value: one for one in audited_estimate(near, EVEN, ScoringSettings(), CUTOFFS).cutoffs}
    assert (even[1.0].decision, even[10.0].decision) == (Decision.MET, Decision.NOT_MET)
    uneven = audited_estimate(near, UNEVEN, ScoringSettings(), CUTOFFS)
    assert uneven.cutoffs[1].decision is Decision.UNCERTAIN
    assert uneven.cutoffs[1].probability > even[10.0].probability
    assert uneven.interval_slide == near.interval
    assert uneven.reported == "6.0"


def test_without_a_positive_answer_only_the_upper_end_moves() -> None:
    none = replace(SCORE, cps=0.0, interval=(0.0, 0.5), bounds=(0.0, 0.0))
    low, high = tissue_interval(none, fields([0] * 40))
    assert low == 0.0
    assert high > 0.5


@given(st.floats(0, 1e4), st.floats(6, 1e6))
def test_a_range_needs_between_the_one_sided_and_the_two_sided_quantile(width: float, degrees: float) -> None:
    quantile = quantile_of_range(width, degrees, 0.95)
    assert stats.t.ppf(0.95, degrees) - 1e-5 <= quantile <= stats.t.ppf(0.975, degrees) + 1e-9
    chance = stats.t.cdf(quantile + width, degrees) - stats.t.cdf(-quantile, degrees)
    assert chance >= 0.95 - 1e-6


def test_a_point_is_covered_from_both_sides_and_no_doubt_leaves_the_normal_quantile() -> None:
    assert quantile_of_range(0.0, np.inf, 0.95) == pytest.approx(1.95996, abs=1e-4)
    assert quantile_of_range(50.0, np.inf, 0.95) == pytest.approx(1.64485, abs=1e-4)
