"""Jobs that take turns (A B A B ...), so that the machine's mood touches all alike; medians and ratios."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

ROUNDS = 5

Speeds = dict[str, list[float]]
Job = Callable[[], float]
"""Does its work once; returns the megapixels it did."""


def take_turns(
    jobs: dict[str, Callable[[], Job]], clock: Callable[[], float] = perf_counter, rounds: int = ROUNDS
) -> Speeds:
    """Run each job once a round, in turn; return megapixels per second of every round.

    Parameters
    ----------
    jobs : dict of str to callable
        Each opens afresh and returns the job, so that nothing is remembered from round to round; opening is
        not part of the time.
    clock : callable
        `perf_counter`, or `process_time` to count other work on the machine less.
    rounds : int
    """
    found: Speeds = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, opened in jobs.items():
            job = opened()
            started = clock()
            megapixels = job()
            found[name].append(megapixels / (clock() - started))
    return found


def ratio(found: Speeds, name: str, base: str) -> float:
    """Return the median over rounds of one job's speed over another's in the same round."""
    return median(one / other for one, other in zip(found[name], found[base], strict=True))
