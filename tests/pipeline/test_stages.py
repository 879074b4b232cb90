from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cxpath.pipeline.stages import StageProfiler, StageTimes, added, bottleneck, prefetch, side_by_side


def profiler(name: str = "work") -> StageProfiler:
    return StageProfiler(name)


def test_results_come_in_order() -> None:
    assert list(prefetch(range(50), lambda number: number * 2, profiler())) == list(range(0, 100, 2))
    assert list(prefetch([], str, profiler())) == []


def test_stages_work_at_the_same_time() -> None:
    """Each waits until the other has begun its next item: one after the other, both would hang."""
    meeting = threading.Barrier(2, timeout=20)

    def first(number: int) -> int:
        if number > 0:
            meeting.wait()
        return number

    def second(number: int) -> int:
        if number < 4:
            meeting.wait()
        return number

    chain = prefetch(prefetch(range(5), first, profiler(), 1), second, profiler(), 1)
    assert list(chain) == list(range(5))


@pytest.mark.parametrize("most_waiting", [1, 3])
def test_a_slow_taker_holds_up_the_work(most_waiting: int) -> None:
    taken: list[int] = []
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return number

    results = prefetch(iter(range(100)), work, profiler(), most_waiting)
    for result in results:
        taken.append(result)
        time.sleep(0.002)
        # beyond those taken: those that wait, and one in hand
        assert len(started) <= len(taken) + most_waiting + 1
        if result == 20:
            break
    results.close()
    assert len(started) <= 21 + most_waiting + 1


def broken_items() -> Iterator[int]:
    yield 1
    raise OSError("tile 2 is damaged")


def test_errors_of_items_and_of_work_reach_the_taker() -> None:
    results = prefetch(prefetch(broken_items(), str, profiler()), str, profiler())
    assert next(results) == "1"
    with pytest.raises(OSError, match="tile 2"):
        next(results)
    with pytest.raises(ZeroDivisionError):
        list(prefetch([1, 0], lambda number: 1 // number, profiler()))


def test_leaving_early_stops_every_stage_and_closes_its_items() -> None:
    closed: list[str] = []
    before = threading.active_count()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("items")

    results = prefetch(prefetch(endless(), str, profiler()), str, profiler())
    assert next(results) == "1"
    results.close()
    assert closed == ["items"]
    assert threading.active_count() == before


def test_the_clock_tells_work_from_waiting() -> None:
    slow, quick = profiler("slow"), profiler("quick")

    def sleep(number: int) -> int:
        time.sleep(0.02)
        return number

    list(prefetch(prefetch(range(10), sleep, slow), lambda number: number, quick))
    stages = side_by_side([slow.times(), quick.times()])
    assert bottleneck(stages) == stages[0]
    assert stages[0].elapsed_s == stages[1].elapsed_s
    assert stages[0].busy_s >= 0.2
    assert stages[1].waited_for_input_s > stages[1].busy_s
    for stage in stages:
        spent = stage.busy_s + stage.waited_for_input_s + stage.waited_for_space_s
        assert spent == pytest.approx(stage.elapsed_s, rel=0.05)


def test_what_no_worker_reports_was_waiting_for_room() -> None:
    times = StageTimes("read", 2, elapsed_s=10.0, busy_s=5.0, waited_for_input_s=0.0, waited_for_space_s=15.0)
    assert times.busy_share == 0.25
    assert bottleneck([]) is None
    assert added([[times], [times]])[0].busy_s == 10.0
    two = StageProfiler("read", 2)
    with two.working():
        time.sleep(0.01)
    found = two.times()
    assert found.busy_s + found.waited_for_space_s == pytest.approx(2 * found.elapsed_s)
