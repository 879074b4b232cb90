"""Judging a model on the drawn test set: processes draw slides ahead of the network that judges them."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import cv2

from cxpath.training.judging.calls import CellCaller
from cxpath.training.judging.contact_picture import keep_picture
from cxpath.training.judging.judge_real import Watcher
from cxpath.training.judging.results_cache import ResultsCache
from cxpath.training.judging.slide_counts import count_slide
from cxpath.training.judging.slide_drawing import JudgedSlide, draw_test_slide
from cxpath.training.judging.slide_plan import PlannedSlide, plan_slides
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.training.worker_processes import worker_processes

SET_NAME = "synthetic"


@dataclass(frozen=True)
class SyntheticJudge:
    """Draws and measures slides, one by one, through a cache.

    Parameters
    ----------
    caller : CellCaller
    settings : SyntheticSettings
    cache : ResultsCache
    limit : int or None
        The first so many slides.
    workers : int
        Processes that draw; with 1 this process draws.
    watch : callable
    """

    caller: CellCaller
    settings: SyntheticSettings
    cache: ResultsCache
    limit: int | None
    workers: int
    watch: Watcher

    def judge(self) -> list[dict[str, Any]]:
        """Return the counts of each slide, in the order of the plan."""
        planned = plan_slides(self.settings)[: self.limit]
        content = self._content()
        results = {slide.name: self.cache.known(slide.name, content) for slide in planned}
        missing = [slide for slide in planned if results[slide.name] is None]
        shown = {slide.name for slide in planned[: self.settings.pictures]}
        done = len(planned) - len(missing)
        self.watch(SET_NAME, done, len(planned))
        for slide, drawn in self._drawn(missing):
            result = self._measured(slide, drawn, content, picture=slide.name in shown)
            self.cache.keep(slide.name, content, result)
            results[slide.name] = result
            done += 1
            self.watch(SET_NAME, done, len(planned))
        return [found for slide in planned if (found := results[slide.name]) is not None]

    def _content(self) -> str:
        """Return what every slide's result depends on, apart from the plan that its name stands for."""
        return self.settings.model_dump_json(exclude={"bootstrap", "targets", "pictures"})

    def _measured(
        self, planned: PlannedSlide, drawn: JudgedSlide, content: str, *, picture: bool
    ) -> dict[str, Any]:
        result, calls = count_slide(planned, drawn, self.caller, self.settings.match_radius_um)
        kept = picture and keep_picture(
            self.cache.path(planned.name, content), drawn.fields[0].rgb, calls[0], self.caller.mpp,
            set_name=SET_NAME, title=planned.name,
        )  # fmt: skip
        return result | {"picture": kept.model_dump() if kept else None}

    def _drawn(self, slides: Sequence[PlannedSlide]) -> Iterator[tuple[PlannedSlide, JudgedSlide]]:
        """Draw slides ahead, never more than two a worker, in order."""
        tissue, mpp = self.settings.tissue, self.caller.mpp
        if self.workers == 1 or len(slides) < 2:
            yield from ((slide, draw_test_slide(slide, tissue, mpp)) for slide in slides)
            return
        with worker_processes(self.workers, _start_worker) as pool:
            ahead: deque[tuple[PlannedSlide, Future[JudgedSlide]]] = deque()
            waiting = iter(slides)
            try:
                for slide in waiting:
                    ahead.append((slide, pool.submit(draw_test_slide, slide, tissue, mpp)))
                    if len(ahead) >= 2 * self.workers:
                        first, drawn = ahead.popleft()
                        yield first, drawn.result()
                while ahead:
                    first, drawn = ahead.popleft()
                    yield first, drawn.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """One thread each, and Ctrl-C is for the parent to see."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
