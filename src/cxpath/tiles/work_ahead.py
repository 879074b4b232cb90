"""One stage of a pipeline: a thread that works on what comes, a bounded number of results ahead.

Stages are chained by handing one's results to the next. The bound is the back-pressure: a slow stage holds up
the ones before it, and memory stays flat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue
from typing import Any, TypeVar

from cxpath.tiles.stage_clock import StageClock

Item = TypeVar("Item")
Result = TypeVar("Result")

_END: Any = object()
_PATIENCE_S = 0.05
"""How soon a thread that waits for room notices that nobody wants its results any more."""


def work_ahead(
    items: Iterable[Item], work: Callable[[Item], Result], clock: StageClock, most_waiting: int = 2
) -> Generator[Result, None, None]:
    """Do work in a thread of its own while whoever takes the results does theirs.

    Parameters
    ----------
    items : iterable
        Taken in that thread; a generator is closed there when it is no longer wanted.
    work : callable
    clock : StageClock
        Told how long the thread works and waits.
    most_waiting : int
        Results that may wait to be taken.

    Yields
    ------
    object
        The results, in the order of the items. An error of an item or of the work is raised in its place.
    """
    queue: Queue[Result] = Queue(most_waiting)
    unwanted = threading.Event()

    def give(result: Result) -> None:
        while not unwanted.is_set():
            try:
                queue.put(result, timeout=_PATIENCE_S)
            except Full:
                continue
            return

    def work_on_all() -> None:
        remaining = iter(items)
        try:
            while not unwanted.is_set():
                with clock.waiting_for_input():
                    item = next(remaining, _END)
                if item is _END:
                    break
                with clock.working():
                    result = work(item)
                with clock.waiting_for_room():
                    give(result)
        finally:
            if isinstance(remaining, Generator):
                remaining.close()
            give(_END)

    with ThreadPoolExecutor(1, clock.name) as thread:
        working = thread.submit(work_on_all)
        try:
            while (result := queue.get()) is not _END:
                yield result
            working.result()
        finally:
            unwanted.set()
