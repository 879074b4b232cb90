""""""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.documents.evaluation import CountedSynthetic
from cxpath.evaluation.pictures import CellClassifier, ResultsCache
from cxpath.evaluation.settings import SyntheticSettings, evaluation_settings
from cxpath.evaluation.synthetic import SyntheticEvaluation, slide_reliability
from cxpath.evaluation.synthetic_set import HARD_NEGATIVES, plan_slides
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from tests.evaluation.called_cells import small_recipe
from tests.evaluation.test_figures import RECIPE, slide


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
