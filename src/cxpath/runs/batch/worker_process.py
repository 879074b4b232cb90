"""What runs inside a local worker process: take a task from the pipe, settle it, answer.

It never outlives its parent: were it to go on, a second run would meet results that it did not start.
"""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from cxpath.runs.batch.attempt import Attempt, worker_name
from cxpath.values.child_process import end_with_parent
from cxpath.values.errors import CxpathError

READY, MOVED, SETTLED, BROKEN = "ready", "moved", "settled", "broken"
"""First words of a worker's messages."""


def serve(pipe: Connection, attempt: Attempt) -> None:
    """Settle tasks until None comes, or the parent is gone."""
    end_with_parent()
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
