from __future__ import annotations

import numpy as np
import pytest

from cxpath.agreement.threshold_choice import choose_threshold
from cxpath.values.errors import StudyError

THRESHOLDS = np.array([0.2, 0.3, 0.4, 0.5, 0.6])


def drawn(cases: int = 60, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return scores by threshold, right at 0.4, and reads that err."""
    rng = np.random.default_rng(seed)
    true = np.where(rng.random(cases) < 0.3, 0.2, np.exp(rng.normal(1.5, 1, cases)))
    scores = np.minimum(true[:, None] * np.exp(6 * (0.4 - THRESHOLDS)), 100)
    return scores, np.minimum(true * np.exp(rng.normal(0, 0.3, cases)), 100)


def test_the_right_threshold_is_found_and_its_figure_is_honest() -> None:
    scores, reads = drawn()
    found = choose_threshold(scores, THRESHOLDS, reads, np.arange(60), present=0.6)
    assert found.threshold == 0.4
    assert found.present < found.honest.value <= found.apparent + 1e-12
    assert set(found.of_folds) <= {0.3, 0.4, 0.5}
    assert found.honest_agreement >= found.present_agreement


def test_without_any_relation_the_honest_figure_is_not_the_apparent_one() -> None:
    rng = np.random.default_rng(3)
    drawn_alike = np.exp(rng.uniform(-2, 3.5, (60, 201)))
    scores, reads = drawn_alike[:, :200], drawn_alike[:, 200]
    found = choose_threshold(scores, np.linspace(0.1, 0.9, 200), reads, np.arange(60), present=0.5)
    assert found.apparent > 0.2
    assert found.honest.value < found.apparent - 0.1


def test_of_equal_thresholds_the_present_one_stays() -> None:
    scores, reads = drawn()
    same = np.repeat(scores[:, [2]], 5, axis=1)
    assert choose_threshold(same, THRESHOLDS, reads, np.arange(60), present=0.5).threshold == 0.5


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
    scores, drawn_reads = drawn(cases)
    with pytest.raises(StudyError, match=words):
        choose_threshold(scores, THRESHOLDS, drawn_reads if reads is None else reads, cluster, present=0.5)
