"""Processor time by thread, so that a run says where it goes: threads carry the names of their stages."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 0.02
"""How often the threads' clocks are read; what a thread spends after the last reading is lost."""


@contextmanager
def thread_times() -> Iterator[dict[str, float]]:
    """Give a table that is filled, when the block ends, with seconds of the processor by name of thread.

    Threads of one pool are added up. Threads that libraries start outside Python are not seen, nor is any on
    systems whose threads have no clock (Windows, macOS).
    """
    found: dict[str, float] = defaultdict(float)
    if not hasattr(time, "pthread_getcpuclockid"):
        yield found
        return
    clocks: dict[int, tuple[str, float, float]] = {}
    _read(clocks)
    clocks = {number: (name, now, now) for number, (name, _, now) in clocks.items()}
    done = threading.Event()
    watch = threading.Thread(target=_read_until, args=(clocks, done), name="clock")
    watch.start()
    try:
        yield found
    finally:
        done.set()
        watch.join()
        for name, begin, end in clocks.values():
            found[name] += end - begin
        found.pop("clock", None)


def _read_until(clocks: dict[int, tuple[str, float, float]], done: threading.Event) -> None:
    while not done.wait(EVERY_S):
        _read(clocks)
    _read(clocks)


def _read(clocks: dict[int, tuple[str, float, float]]) -> None:
    """Note each thread's clock by the number that the system gave it, which no two threads of a run share."""
    for thread in threading.enumerate():
        number, ident = thread.native_id, thread.ident
        if number is None or ident is None or not thread.is_alive():
            continue
        name = thread.name.rstrip("0123456789").rstrip("_-")
        first = clocks.get(number, (name, 0.0, 0.0))[1]
        clocks[number] = name, first, time.clock_gettime(time.pthread_getcpuclockid(ident))
