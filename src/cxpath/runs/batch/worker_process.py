"""What runs inside a local worker process: take a task from the pipe, settle it, answer.

It never outlives its parent: were it to go on, a second run would meet results that it did not start.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait

from cxpath.runs.batch.attempt import Attempt, worker_name
from cxpath.values.errors import CxpathError

READY, MOVED, SETTLED, BROKEN = "ready", "moved", "settled", "broken"
"""First words of a worker's messages."""


def serve(pipe: Connection, attempt: Attempt) -> None:
    """Settle tasks until None comes, or the parent is gone."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pipe.send((READY,))
    try:
        while (task := pipe.recv()) is not None:
            try:
                outcome = attempt.settle(task, worker_name(), lambda done, total: _move(pipe, done, total))
            except CxpathError as error:  # nothing can be kept any more
                pipe.send((BROKEN, type(error), error.message, error.hint))
                return
            pipe.send((SETTLED, outcome))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


def _move(pipe: Connection, done: int, total: int) -> None:
    if done == total or done % 16 == 0:
        pipe.send((MOVED, done, total))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
