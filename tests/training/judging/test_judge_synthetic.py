from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.judging.calls import CellCaller
from cxpath.training.judging.judge_synthetic import SyntheticJudge
from cxpath.training.judging.results_cache import ResultsCache
from cxpath.training.judging.settings_file import evaluation_settings
from cxpath.training.judging.slide_plan import plan_slides
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.training.judging.trap_presence import TRAPS
from tests.training.judging.called_cells import small_recipe


@pytest.fixture(scope="module")
def caller() -> CellCaller:
    return CellCaller(load_model("small"), choose_device("cpu"))


def judge(
    caller: CellCaller, folder: Path, workers: int = 1, stop_after: int | None = None
) -> SyntheticJudge:
    settings = evaluation_settings(SyntheticSettings, small_recipe(folder))

    def watch(_name: str, done: int, _total: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    return SyntheticJudge(caller, settings, ResultsCache(folder, "basis"), None, workers, watch)


def test_slides_are_judged_in_the_order_of_the_plan(caller: CellCaller, tmp_path: Path) -> None:
    one = judge(caller, tmp_path)
    results = one.judge()
    planned = plan_slides(one.settings)
    assert [result["name"] for result in results] == [slide.name for slide in planned]
    assert [bool(result["picture"]) for result in results] == [True, False, False]
    for result, slide in zip(results, planned, strict=True):
        truth = [sum(row) for row in result["table"]]
        assert sum(truth[:2]) >= one.settings.tissue.tumour_cells
        cps = 100 * (truth[0] + truth[2]) / sum(truth[:2])
        assert slide.stratum.holds(min(cps, 100.0))
        assert all(set(traps) <= set(TRAPS) for traps in result["fields"])
        assert sum(number for number, _, _ in result["reliability"]) > 0


def test_an_interrupted_judge_keeps_what_it_has(caller: CellCaller, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        judge(caller, tmp_path, stop_after=1).judge()
    again = judge(caller, tmp_path)
    again.judge()
    assert again.cache.computed == 2, "the first of three was kept"


@pytest.mark.slow
def test_drawing_by_several_processes_changes_nothing(caller: CellCaller, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "together").mkdir()
    alone = judge(caller, tmp_path / "alone").judge()
    together = judge(caller, tmp_path / "together", workers=2).judge()
    assert [one["table"] for one in alone] == [one["table"] for one in together]
