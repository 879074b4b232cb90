"""The laboratory's map: isotonic as scikit-learn's, honest about its worth, refused with too few cases."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from cxpath.agreement.calibration import (
    FEWEST_CASES_OF_MAP,
    MapChoice,
    choose_map,
    choose_threshold,
    fit_score_map,
)
from cxpath.errors import StudyError

THRESHOLDS = np.array([0.3, 0.4, 0.5])
SCORES = arrays(np.float64, 12, elements=st.integers(0, 30).map(float))


def choose(reads: np.ndarray, scores: np.ndarray, cluster: np.ndarray | None = None) -> MapChoice:
    """Choose threshold and map from scores that are the same at all thresholds."""
    columns = np.repeat(scores[:, None], 3, axis=1)
    cluster = np.arange(len(reads)) if cluster is None else cluster
    choice = choose_threshold(columns, THRESHOLDS, reads, cluster, present=0.4)
    return choose_map(columns, THRESHOLDS, reads, cluster, choice)


def drawn(cases: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return scores, and reads that say half of them with errors."""
    rng = np.random.default_rng(seed)
    scores = np.exp(rng.normal(1.5, 1.2, cases))
    return scores, np.clip(0.5 * scores * np.exp(rng.normal(0, 0.2, cases)), 0, 100)


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES)
def test_the_map_is_scikit_learns_on_log_scores(scores: np.ndarray, reads: np.ndarray) -> None:
    if np.ptp(scores) == 0:
        return
    theirs = IsotonicRegression().fit(np.log10(scores + 1), np.log10(reads + 1))
    found = np.log10(fit_score_map(scores, reads).of(scores) + 1)
    np.testing.assert_allclose(found, theirs.predict(np.log10(scores + 1)), atol=1e-3)
    assert np.all(np.diff(found[np.argsort(scores)]) >= -1e-9)


def test_readers_who_always_say_half_are_mapped_and_the_gain_is_shown() -> None:
    scores, reads = drawn(80)
    found = choose(reads, scores)
    assert found.helps
    assert found.unmapped.value < found.honest.value <= found.apparent
    assert found.gain.value == pytest.approx(found.honest.value - found.unmapped.value)
    assert found.score_map.of(np.array(20.0)) == pytest.approx(10, rel=0.3)


def test_readers_who_agree_already_need_no_map() -> None:
    scores, reads = drawn(80)
    found = choose(2 * reads, scores)
    assert not found.helps
    assert found.apparent > found.unmapped.value


def test_reads_of_chance_are_followed_but_the_honest_figure_is_not_fooled() -> None:
    rng = np.random.default_rng(2)
    scores, reads = np.exp(rng.normal(1, 1.5, (2, 60)))
    found = choose(reads, scores)
    assert found.apparent > found.honest.value + 0.05
    assert not found.helps


def test_all_slides_of_a_patient_are_held_out_together() -> None:
    """Two equal slides of each patient: in different folds they would tell the map half of the answers."""
    rng = np.random.default_rng(4)
    scores, reads = np.exp(rng.normal(1, 1.5, (2, 60)))
    alone = choose(reads, scores)
    twice = choose(np.repeat(reads, 2), np.repeat(scores, 2), np.repeat(np.arange(60), 2))
    assert twice.honest.value == pytest.approx(alone.honest.value, abs=1e-9)


def test_too_few_cases_and_scores_that_do_not_differ_are_refused() -> None:
    scores, reads = drawn(FEWEST_CASES_OF_MAP - 1)
    with pytest.raises(StudyError, match="59 cases of different patients: a map needs 60"):
        choose(reads, scores)
    with pytest.raises(StudyError, match="all scores are equal"):
        fit_score_map(np.ones(5), np.arange(5.0))


THRESHOLDS_OF_THRESHOLD_CHOICE = np.array([0.2, 0.3, 0.4, 0.5, 0.6])


def sampled_of_threshold_choice(cases: int = 60, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return scores by threshold, right at 0.4, and reads that err."""
    rng = np.random.default_rng(seed)
    true = np.where(rng.random(cases) < 0.3, 0.2, np.exp(rng.normal(1.5, 1, cases)))
    scores = np.minimum(true[:, None] * np.exp(6 * (0.4 - THRESHOLDS_OF_THRESHOLD_CHOICE)), 100)
    return scores, np.minimum(true * np.exp(rng.normal(0, 0.3, cases)), 100)


def test_the_right_threshold_is_found_and_its_figure_is_honest() -> None:
    scores, reads = sampled_of_threshold_choice()
    found = choose_threshold(scores, THRESHOLDS_OF_THRESHOLD_CHOICE, reads, np.arange(60), present=0.6)
    assert found.threshold == 0.4
    assert found.present < found.honest.value <= found.apparent + 1e-12
    assert set(found.of_folds) <= {0.3, 0.4, 0.5}
    assert found.honest_agreement >= found.present_agreement


def test_without_any_relation_the_honest_figure_is_not_the_apparent_one() -> None:
    rng = np.random.default_rng(3)
    sampled_alike = np.exp(rng.uniform(-2, 3.5, (60, 201)))
    scores, reads = sampled_alike[:, :200], sampled_alike[:, 200]
    found = choose_threshold(scores, np.linspace(0.1, 0.9, 200), reads, np.arange(60), present=0.5)
    assert found.apparent > 0.2
    assert found.honest.value < found.apparent - 0.1


def test_of_equal_thresholds_the_present_one_stays() -> None:
    scores, reads = sampled_of_threshold_choice()
    same = np.repeat(scores[:, [2]], 5, axis=1)
    assert (
        choose_threshold(same, THRESHOLDS_OF_THRESHOLD_CHOICE, reads, np.arange(60), present=0.5).threshold
        == 0.5
    )


@pytest.mark.parametrize(
    ("cases", "cluster", "reads", "words"),
    [
        (29, np.arange(29), None, "29 cases"),
        (60, np.arange(60) // 3, None, "of 20 patients"),
        (60, np.arange(60), np.full(60, 5.0), "60 of 60 cases reach 1"),
    ],
)
def test_too_few_cases_are_refused(
    cases: int, cluster: np.ndarray, reads: np.ndarray | None, words: str
) -> None:
    scores, simulated_reads = sampled_of_threshold_choice(cases)
    with pytest.raises(StudyError, match=words):
        choose_threshold(
            scores,
            THRESHOLDS_OF_THRESHOLD_CHOICE,
            simulated_reads if reads is None else reads,
            cluster,
            present=0.5,
        )
