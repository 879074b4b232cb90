"""Evaluations on synthetic slides, and their figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from cxpath.agreement.continuous import lins_concordance
from cxpath.documents.evaluation import CountedSynthetic
from cxpath.evaluation.classifier import CellClassifier, ResultsCache
from cxpath.evaluation.settings import SyntheticSettings, bundled_settings, evaluation_settings
from cxpath.evaluation.synthetic import (
    SUBGROUPS,
    SyntheticEvaluation,
    calibration_error,
    composition,
    count_rows,
    falsely_reaching,
    hard_negative_shares,
    right_side,
    score_concordance,
    score_rows,
    slide_reliability,
    synthetic_figures,
    tables_of,
)
from cxpath.evaluation.synthetic_set import HARD_NEGATIVES, plan_slides
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from tests.evaluation.called_cells import small_recipe


@pytest.fixture(scope="module")
def classifier() -> CellClassifier:
    return CellClassifier(load_model("small"), choose_device("cpu"))


def judge(
    classifier: CellClassifier, folder: Path, workers: int = 1, stop_after: int | None = None
) -> SyntheticEvaluation:
    settings = evaluation_settings(SyntheticSettings, small_recipe(folder))

    def watch(_name: str, done: int, _total: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    return SyntheticEvaluation(classifier, settings, ResultsCache(folder, "basis"), None, workers, watch)


def test_slides_are_judged_in_the_order_of_the_plan(classifier: CellClassifier, tmp_path: Path) -> None:
    one = judge(classifier, tmp_path)
    results = one.evaluate()
    planned = plan_slides(one.settings)
    assert [result.name for result in results] == [one.name for one in planned]
    assert [bool(result.picture) for result in results] == [True, False, False]
    for result, plan in zip(results, planned, strict=True):
        truth = [sum(row) for row in result.table]
        assert sum(truth[:2]) >= one.settings.tissue.tumour_cells
        cps = 100 * (truth[0] + truth[2]) / sum(truth[:2])
        assert plan.stratum.contains(min(cps, 100.0))
        assert all(set(hard_negatives) <= set(HARD_NEGATIVES) for hard_negatives in result.fields)
        assert sum(number for number, _, _ in result.reliability) > 0


def test_an_interrupted_judge_keeps_what_it_has(classifier: CellClassifier, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        judge(classifier, tmp_path, stop_after=1).evaluate()
    again = judge(classifier, tmp_path)
    again.evaluate()
    assert again.cache.computed == 2, "the first of three was kept"


@pytest.mark.slow
def test_drawing_by_several_processes_changes_nothing(classifier: CellClassifier, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "together").mkdir()
    alone = judge(classifier, tmp_path / "alone").evaluate()
    together = judge(classifier, tmp_path / "together", workers=2).evaluate()
    assert [one.table for one in alone] == [one.table for one in together]


def with_kinds(one: CountedSynthetic, right: int) -> CountedSynthetic:
    bins = np.zeros((10, 3))
    bins[9] = 2000, 1900, right
    return one.model_copy(update={"kind_reliability": tuple(map(tuple, bins.tolist()))})


def test_each_arm_has_its_curves() -> None:
    slides = [with_kinds(slide(30, 30), 1900), with_kinds(slide(30, 30), 1500)]
    slides += [with_kinds(slide(30, 30, arm="training_stains"), 1900)]
    found = {(one.set_name, one.of_what): one.curve for one in slide_reliability(slides, RECIPE)}
    assert set(found) == {
        (f"synthetic_{arm}", of) for arm in ("held_out", "training_stains") for of in ("kind", "stained")
    }
    kind, stained = (found["synthetic_held_out", of] for of in ("kind", "stained"))
    assert kind.observed_share == ((1900 + 1500) / 4000,)
    assert kind.expected_error.value == 0.1
    assert stained.count == (3940, 60)
    assert stained.expected_error.count == 2
    assert found["synthetic_training_stains", "kind"].expected_error.value == 0.0


def test_no_slides_have_no_curves() -> None:
    assert list(slide_reliability([], RECIPE)) == []


def test_lins_coefficient_by_hand() -> None:
    """Means 2.5 and 3.25, variances 1.25 and 2.1875, covariance 1.625: 3.25 / (3.4375 + 0.5625)."""
    truth, found = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 4.0, 5.0])
    assert lins_concordance(truth, found) == pytest.approx(3.25 / 4.0)


def test_a_shift_lowers_concordance_where_correlation_sees_nothing() -> None:
    truth = np.arange(10.0)
    assert lins_concordance(truth, truth) == pytest.approx(1.0)
    assert lins_concordance(truth, -truth + 9) == pytest.approx(-1.0)
    # Variance 8.25 each, shift 3: 16.5 / (16.5 + 9).
    assert lins_concordance(truth, truth + 3) == pytest.approx(16.5 / 25.5)


def test_scores_are_compared_on_a_logarithmic_scale() -> None:
    truth, called = np.array([0.0, 9.0, 99.0]), np.array([9.0, 99.0, 999.0])
    # log10(CPS + 1) is 0, 1, 2 against 1, 2, 3: variance 2/3 each, shift 1.
    assert score_concordance(truth, called) == pytest.approx((4 / 3) / (4 / 3 + 1))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=20))
def test_concordance_is_symmetric_and_bounded(pairs: list[tuple[float, float]]) -> None:
    truth, found = np.array(pairs).T
    value = lins_concordance(truth, found)
    if np.isfinite(value):
        assert -1 - 1e-9 <= value <= 1 + 1e-9
        assert value == pytest.approx(lins_concordance(found, truth), nan_ok=True)


def test_one_slide_or_equal_slides_have_no_concordance() -> None:
    assert np.isnan(lins_concordance(np.array([1.0]), np.array([2.0])))
    assert np.isnan(lins_concordance(np.ones(3), np.ones(3)))


def test_sides_of_a_cutoff() -> None:
    truth, called = np.array([0.2, 0.99, 1.0, 5.0]), np.array([0.0, 1.0, 1.0, 0.5])
    assert right_side(truth, called, 1.0) == 0.5
    assert np.isnan(right_side(np.empty(0), np.empty(0), 1.0))


def test_slides_that_reach_a_cutoff_falsely() -> None:
    truth, called = np.array([0.0, 0.3, 0.49, 0.5, 3.0]), np.array([0.0, 1.0, 0.9, 9.0, 9.0])
    assert falsely_reaching(truth, called, below=0.5, cutoff=1.0) == pytest.approx(1 / 3)
    assert np.isnan(falsely_reaching(np.array([2.0]), np.array([2.0]), below=0.5, cutoff=1.0))


RECIPE = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
RECIPE = RECIPE.model_copy(update={"bootstrap": RECIPE.bootstrap.model_copy(update={"repeats": 100})})


def slide(positive: int, called: int, *, arm: str = "held_out", **facts: Any) -> CountedSynthetic:
    """A slide of 2000 tumour cells, all found, of which some are positive and some are called so."""
    table = np.zeros((6, 6), int)
    both = min(positive, called)
    table[0, 0], table[0, 1], table[1, 0] = both, positive - both, called - both
    table[1, 1] = 2000 - table.sum()
    table[2, 2] = table[3, 3] = 10
    reliability = np.zeros((10, 3))
    reliability[0], reliability[9] = (2000 - called, 0.0, positive - both), (called, 0.9 * called, both)
    usual = {
        "stratum": "below_half",
        "mpp": 0.5,
        "jpeg_quality": 90,
        "counterstain": 1.0,
        "dab": 1.0,
        "kind_reliability": reliability.tolist(),
        "fields": (("pen", "fold"), ("pen",)),
    }
    return CountedSynthetic(
        name=f"{positive}-{called}",
        arm=arm,
        table=table.tolist(),
        reliability=reliability.tolist(),
        **(usual | facts),
    )


def with_table(one: CountedSynthetic, table: NDArray[np.int64]) -> CountedSynthetic:
    return one.model_copy(update={"table": tuple(map(tuple, table.tolist()))})


def as_arm(one: CountedSynthetic, arm: str) -> CountedSynthetic:
    return one.model_copy(update={"arm": arm})


SLIDES = [slide(0, 0), slide(0, 40, mpp=0.25), slide(30, 30), slide(400, 390, jpeg_quality=0)]


def figures(slides: list[CountedSynthetic]) -> dict[str, Any]:
    return {f"{one.set_name} {one.name}": one for one in synthetic_figures(slides, RECIPE)}


def test_scores_follow_from_counts() -> None:
    expected = [[0.5, 0.5], [0.5, 2.5], [2.0, 2.0], [20.5, 20.0]]
    assert np.allclose(score_rows(SLIDES), expected)
    table = np.zeros((6, 6), int)
    table[0, 5] = 10
    blind = with_table(slide(10, 10), table)
    assert score_rows([blind]).tolist() == [[100.0, 0.0]], "no cell called tumour scores 0"


def test_every_target_is_judged_on_the_gated_arm_alone() -> None:
    found = figures([*SLIDES, *(as_arm(one, "training_stains") for one in SLIDES)])
    gated = {name for name, one in found.items() if one.target}
    assert gated == {
        f"synthetic_held_out {name}"
        for name in ("macro_f1", "concordance", "right_side_of_1", "right_side_of_10", "low_reaching_1")
    }
    assert found["synthetic_held_out right_side_of_1"].value == 0.75
    assert found["synthetic_held_out right_side_of_1"].met is False
    assert found["synthetic_held_out right_side_of_10"].value == 1.0
    assert found["synthetic_held_out macro_f1"].n == 4 * 2020
    assert found["synthetic_held_out concordance"].unit == "slides"
    assert found["synthetic_training_stains concordance"].value == (
        found["synthetic_held_out concordance"].value
    )


def test_low_slides_are_those_of_low_truth() -> None:
    clean = [with_table(one, np.diag([0, 2000, 0, 10, 5, 0])) for one in SLIDES[:2]]
    wrong = slide(0, 30)
    wrong = with_table(wrong, np.array(wrong.table) * (np.arange(6) != 2)[:, None])
    found = figures([*clean, wrong, SLIDES[3]])
    assert found["synthetic_held_out low_reaching_1"].value == pytest.approx(1 / 3, abs=1e-4)
    assert found["synthetic_held_out low_reaching_1"].met is False
    assert found["synthetic_held_out low_reaching_1"].n == 3


def test_subgroups_are_named_when_they_part_the_slides() -> None:
    found = figures(SLIDES)
    assert found["synthetic_held_out macro_f1_finer_than_0_3"].n == 2020
    assert found["synthetic_held_out macro_f1_no_jpeg"].units == 1
    assert "synthetic_held_out macro_f1_strong_jpeg" not in found
    assert not figures([])


def test_slides_are_parted_by_the_strength_of_their_stains() -> None:
    stains: list[dict[str, Any]] = [
        {"counterstain": 0.8, "dab": 1.0},
        {"counterstain": 1.2, "dab": 1.3},
        {"counterstain": 1.0, "dab": 0.7},
    ]
    found = figures([slide(30, 30, **one) for one in stains])
    for group in ("pale_counterstain", "deep_counterstain", "pale_dab", "deep_dab"):
        assert found[f"synthetic_held_out macro_f1_{group}"].units == 1
    assert not [name for name in figures(SLIDES) if "counterstain" in name], "not known: not counted"


def test_calibration_error_by_hand() -> None:
    # 30 cells at 0.9 all positive, 1970 at 0 all negative: 3 of 2000.
    assert calibration_error(count_rows([slide(30, 30)])) == pytest.approx(3 / 2000)
    assert np.isnan(calibration_error(np.zeros((1, 66))))


def test_the_test_set_says_what_it_lacks() -> None:
    found = {one.label.split(" (")[0]: one for one in composition(SLIDES, RECIPE)}
    assert (found["slides"].value, found["slides"].required, found["slides"].met) == (4, 300, False)
    assert found["slides with true CPS from 0.3 to 3"].value == 3
    assert found["evaluated tumour cells on the slide with the fewest"].met
    assert not found["share of fields with the rarest hard negative"].met
    shares = hard_negative_shares(SLIDES)
    assert (shares["pen"], shares["fold"], shares["crush"]) == (1.0, 0.5, 0.0)
    assert set(shares) == set(HARD_NEGATIVES)
    assert composition([as_arm(one, "training_stains") for one in SLIDES], RECIPE) == []


@given(
    mpp=st.floats(0.1, 1.0),
    quality=st.integers(0, 100),
    counterstain=st.floats(0.5, 1.6),
    dab=st.floats(0.5, 1.6),
)
def test_every_slide_has_one_subgroup_of_each_kind_at_most(
    mpp: float, quality: int, counterstain: float, dab: float
) -> None:
    """Of µm/px and of compression exactly one: no slide is forgotten, none counted twice."""
    one = slide(1, 1, mpp=mpp, jpeg_quality=quality, counterstain=counterstain, dab=dab)
    belongs = {key for key, _, test in SUBGROUPS if test(one)}
    assert len(belongs & {"finer_than_0_3", "0_3_to_0_48", "coarser_than_0_48"}) == 1
    assert len(belongs & {"no_jpeg", "strong_jpeg", "mild_jpeg"}) == 1
    assert len(belongs & {"pale_counterstain", "deep_counterstain"}) <= 1
    assert len(belongs & {"pale_dab", "deep_dab"}) <= 1


def test_counts_of_a_slide_survive_their_flat_row() -> None:
    """36 counts and three numbers for each of ten bins."""
    rows = count_rows(SLIDES)
    assert rows.shape == (4, 36 + 30)
    assert np.array_equal(tables_of(rows), np.array([one.table for one in SLIDES]))


def test_an_arm_lacks_what_fewer_slides_than_required_contain() -> None:
    """One slide of true CPS .5, of 2,000 tumour cells: below 0.5 none, from .3 to 3 one."""
    found = [(one.value, one.met) for one in composition([slide(0, 0)], RECIPE)]
    assert found[:4] == [(1, False), (0, False), (1, False), (2000, True)]
    assert composition([as_arm(slide(0, 0), "training_stains")], RECIPE) == []  # no target is for it


def test_shares_of_hard_negatives_are_of_all_fields_the_rarest_first() -> None:
    shares = hard_negative_shares([slide(0, 0), slide(0, 0, fields=((), ("pen", "bubble")))])
    assert (shares["pen"], shares["fold"], shares["bubble"], shares["haze"]) == (0.75, 0.25, 0.25, 0.0)
    assert list(shares.values()) == sorted(shares.values())
    assert set(hard_negative_shares([])) == set(HARD_NEGATIVES)
