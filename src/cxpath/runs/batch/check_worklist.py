"""Looking at a whole worklist before anything starts: what contradicts itself, what will fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cxpath.runs.batch.slide_task import SlideTask
from cxpath.slide.open_slide import open_slide
from cxpath.values.errors import CxpathError

_THREADS = 8


@dataclass(frozen=True)
class Problem:
    """Something wrong with one slide of the worklist.

    Parameters
    ----------
    id : str
    reason, hint : str
    """

    id: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.hint})" if self.hint else self.reason


def contradictions(tasks: Sequence[SlideTask]) -> list[Problem]:
    """Return what keeps the batch from starting: names and slides that stand twice, impossible requests."""
    return [*_clashes(tasks), *_doubles(tasks), *_impossible(tasks)]


def unreadable(tasks: Sequence[SlideTask]) -> list[Problem]:
    """Return the slides that would fail now: missing, broken, without µm/px; opens each slide once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(_look, tasks)
        return [problem for problem in found if problem]


def _clashes(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    by_name: dict[str, list[SlideTask]] = defaultdict(list)
    for task in tasks:
        by_name[task.id.casefold()].append(task)  # on Windows and macOS, A and a are one folder
    for same in by_name.values():
        if len(same) > 1:
            slides = ", ".join(str(task.request.slide) for task in same[:3])
            reason = f"{same[0].id!r} would name the results of {len(same)} slides: {slides}"
            yield Problem(same[0].id, reason, "give them different entries in a column `id`")


def _doubles(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    by_path: dict[Path, list[SlideTask]] = defaultdict(list)
    for task in tasks:
        by_path[task.request.slide.resolve()].append(task)
    for path, same in by_path.items():
        if len(same) > 1 and len(
            {(task.request.roi, task.request.cells, task.request.marker) for task in same}
        ) < len(same):
            names = ", ".join(task.id for task in same)
            yield Problem(same[0].id, f"{path}: stands {len(same)} times ({names})", "name every slide once")


def _impossible(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    for task in tasks:
        try:
            task.request.check()
        except CxpathError as error:
            yield Problem(task.id, f"{task.request.slide}: {error.message}", error.hint)


def _look(task: SlideTask) -> Problem | None:
    request = task.request
    for file in (request.roi, request.cells):
        if file and not file.is_file():
            return Problem(task.id, f"{file}: no such file", "check the path")
    try:
        open_slide(request.slide, request.mpp, name=request.shown_name).close()
    except CxpathError as error:
        return Problem(task.id, error.message, error.hint)
    except Exception as error:  # noqa: BLE001  # a strange slide must not keep the others from being checked
        return Problem(task.id, f"{task.shown_name}: {type(error).__name__}: {error}")
    return None
