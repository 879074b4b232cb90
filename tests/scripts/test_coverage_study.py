"""The full study is `scripts/studies/measure_coverage.py`.

Here 150 slides show that nothing has come loose.
"""

import numpy as np
import pytest

from cxpath.scores.settings import Cutoff, decide_cutoff
from scripts.studies.coverage import (
    CAREFUL,
    CUTOFFS,
    RULE,
    Coverage,
    SlidePlan,
    covered,
    flag_rows,
    run_coverage_study,
    summary_rows,
    write_synthetic_slide,
)
from tests.scores.tissues import FLAWLESS


@pytest.fixture(scope="module")
def study() -> Coverage:
    return run_coverage_study(150, CAREFUL, held_out=60, seed=7)


def test_each_interval_covers_its_own_truth(study: Coverage) -> None:
    assert covered(study.slide, study.slide_cps).mean() >= 0.90
    assert covered(study.tissue, study.tissue_cps).mean() >= 0.90


def test_a_plain_binomial_interval_covers_far_less(study: Coverage) -> None:
    plain = covered(study.binomial, study.tissue_cps).mean()
    assert plain < covered(study.tissue, study.tissue_cps).mean() - 0.3


def test_a_wrong_side_is_nearly_always_flagged_and_a_far_score_of_many_cells_rarely(study: Coverage) -> None:
    wrong = study.other_side()
    assert wrong.any()
    assert np.count_nonzero(~study.borderline()[wrong]) <= 1
    far = study.far() & (study.tumour >= 1_000)
    assert study.flagged()[far].mean() <= 0.08


def test_flags_are_those_of_the_product_and_fall_with_the_tail(study: Coverage) -> None:
    cutoffs = [Cutoff(at, "") for at in CUTOFFS]
    product = [
        [
            decide_cutoff(called, (called, called), chance, cutoff, RULE).borderline
            for chance, cutoff in zip(row, cutoffs, strict=True)
        ]
        for called, row in zip(study.called, study.chance, strict=True)
    ]
    assert (study.borderline() == np.array(product)).all()
    strict, lax = flag_rows(study, (0.025, 0.2))
    assert all(more >= fewer for more, fewer in zip(strict[1:], lax[1:], strict=True))
    assert strict[2] > lax[2]


def test_counting_alone_leaves_doubt_only_where_cells_are_few(
    study: Coverage,
) -> None:
    few, far = study.tumour < 1_000, study.far()
    assert study.counting_alone[few].any()
    assert study.counting_alone[far & ~few].mean() < 0.02
    assert study.counting_alone.sum() < study.borderline().sum()


def test_the_error_term_is_estimated_and_not_handed_over(study: Coverage) -> None:
    assert study.error != CAREFUL
    assert study.error.tumour_recall == pytest.approx(CAREFUL.tumour_recall, abs=0.05)
    assert study.error.held_out_slides == 60


def test_groups_hold_all_slides(study: Coverage) -> None:
    rows = summary_rows(study)
    assert rows[0][:2] == ("all", 150)
    assert sum(row[1] for row in rows if row[0].startswith("CPS")) == 150


def test_a_drawn_tissue_has_the_cps_it_was_planned_with() -> None:
    rng = np.random.default_rng(2)
    plan = SlidePlan(100, 400.0, 12.0, 8.0, 6.0, 80.0)
    slides = [write_synthetic_slide(plan, FLAWLESS, rng) for _ in range(30)]
    assert np.mean([slide.slide_cps for slide in slides]) == pytest.approx(20.0, rel=0.06)
    assert slides[0].tissue_cps == 20.0
    assert slides[0].table.sum(axis=1)[:2].sum() > 30_000
