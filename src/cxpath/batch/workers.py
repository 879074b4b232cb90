"""Where tasks run on one machine: in this process or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from cxpath.batch.attempt import Attempt, died, worker_name
from cxpath.batch.state import StateFolder
from cxpath.batch.task import Event, Finished, Moved, SlideTask, Started, Status
from cxpath.data.settings import end_with_parent, usable_cores
from cxpath.errors import BatchError, CxpathError

# The simplest engine: one slide after the other in this process. A slide that crashes it ends the batch.


@dataclass(frozen=True)
class InProcess:
    """Scores in this process.

    Parameters
    ----------
    attempt : Attempt
    """

    attempt: Attempt

    @property
    def name(self) -> str:
        """What it is."""
        return "this process"

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task in turn."""
        for task in tasks:
            yield Started(task.id, worker_name())
            yield Finished(self.attempt.settle(task, worker_name()))


# What runs inside a local worker process: take a task from the pipe, settle it, answer.
#
# It never outlives its parent: were it to go on, a second run would meet results that it did not start.


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


# Worker processes on this machine: a slide that kills one is tried elsewhere, then set aside.


_MOST_FALSE_STARTS = 3
_GRACE_S = 20.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@dataclass
class _Worker:
    """One worker process as its parent sees it."""

    number: int
    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    task: SlideTask | None = None

    @property
    def name(self) -> str:
        return f"worker {self.number + 1}"


@dataclass(frozen=True)
class LocalWorkers:
    """Scores in worker processes.

    Parameters
    ----------
    attempt : Attempt
    workers : int
    gpus : tuple of str
        What each worker in turn shall see as its one GPU; none: they share the processor.
    """

    attempt: Attempt
    workers: int = 1
    gpus: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is."""
        where = f" on {len(self.gpus)} GPU{'s'[: len(self.gpus) > 1]}" if self.gpus else ""
        return f"{self.workers} local worker{'s'[: self.workers > 1]}{where}"

    def environment(self, number: int) -> dict[str, str]:
        """Return what a worker's environment shall say: its share of the processors, its GPU."""
        threads = max(1, len(usable_cores()) // self.workers)
        found = {name: str(threads) for name in _THREAD_VARIABLES if name not in os.environ}
        if self.gpus:
            found["CUDA_VISIBLE_DEVICES"] = self.gpus[number % len(self.gpus)]
        return found

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task; workers that end are replaced."""
        pool = _Pool(self, deque(tasks))
        try:
            yield from pool.events()
        finally:
            pool.close()


@dataclass
class _Pool:
    """The workers of one run."""

    engine: LocalWorkers
    queue: deque[SlideTask]
    workers: list[_Worker] = field(default_factory=list)
    false_starts: int = 0

    def events(self) -> Iterator[Event]:
        for number in range(min(self.engine.workers, len(self.queue))):
            self.workers.append(self._start(number))
        while self.queue or any(worker.task for worker in self.workers):
            ready = wait([worker.pipe for worker in self.workers])
            for worker in [one for one in self.workers if one.pipe in ready]:
                yield from self._hear(worker)

    def close(self) -> None:
        """Let idle workers go and interrupt the others: an interrupted slide leaves nothing behind."""
        for worker in self.workers:
            if worker.task is None and worker.ready:
                _say_goodbye(worker.pipe)
            elif worker.process.pid and worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT if worker.ready else signal.SIGTERM)
        for worker in self.workers:
            worker.process.join(_GRACE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()

    def _start(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, self.engine.attempt), name=f"cxpath-{number + 1}", daemon=True
        )
        with _environment(self.engine.environment(number)):
            process.start()
        theirs.close()  # else its end would never be heard
        return _Worker(number, process, ours)

    def _hear(self, worker: _Worker) -> Iterator[Event]:
        try:
            message: tuple[Any, ...] = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._replace(worker)
            return
        match message:
            case (word,) if word == READY:
                worker.ready, self.false_starts = True, 0
            case (word, done, total) if word == MOVED:
                yield Moved(worker.name, done, total)
                return
            case (word, outcome) if word == SETTLED:
                worker.task = None
                yield Finished(outcome)
            case (word, kind, line, hint) if word == BROKEN:
                raise kind(line, hint)
        yield from self._give(worker)

    def _give(self, worker: _Worker) -> Iterator[Event]:
        if not self.queue:
            return
        worker.task = self.queue.popleft()
        try:
            worker.pipe.send(worker.task)
        except OSError:  # it has just ended; its end is heard next
            return
        yield Started(worker.task.id, worker.name)

    def _replace(self, worker: _Worker) -> Iterator[Event]:
        worker.process.join()
        worker.pipe.close()
        task, self.workers = worker.task, [one for one in self.workers if one is not worker]
        if task is None and not worker.ready:
            self.false_starts += 1
            if self.false_starts >= _MOST_FALSE_STARTS:
                how = how_it_ended(worker.process.exitcode)
                raise BatchError(f"worker processes end before they begin ({how})", "try cxpath doctor")
        if task is not None:
            how = how_it_ended(worker.process.exitcode)
            outcome = died(StateFolder(self.engine.attempt.batch), task, worker.name, how)
            if outcome.status is Status.RUNNING:
                self.queue.append(task)
            yield Finished(outcome)
        if self.queue:
            self.workers.append(self._start(worker.number))


def how_it_ended(exit_code: int | None) -> str:
    """Say in words how a process ended."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = str(-exit_code)
    return f"signal {name}{' (often: out of memory)' if name == 'SIGKILL' else ''}"


def _say_goodbye(pipe: Connection) -> None:
    try:
        pipe.send(None)
    except OSError:
        return  # it is gone already


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Change what a child will inherit: thread numbers are read once, when its libraries load."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
