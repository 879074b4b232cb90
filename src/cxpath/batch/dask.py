"""Batches on a Dask cluster: local workers, Slurm and other queues, or an address."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import Field

from cxpath.batch.attempt import MOST_CRASHES, Attempt, died, failed, worker_name
from cxpath.batch.state import StateFolder
from cxpath.batch.task import Event, Finished, Outcome, SlideTask, Started, Status
from cxpath.data.settings import Settings, read_settings
from cxpath.errors import BatchError, ConfigurationError, CxpathError, OutputError

# Reaching a Dask cluster: one that runs already, or workers asked of a Slurm queue for this batch alone.


SLURM = "slurm"
_INSTALL = "pip install 'cxpath[cluster]'"
_PATIENCE_S = 30


class QueueSettings(Settings):
    """A file of `--dask-config`: what to ask the queue for. One job holds one worker."""

    queue: str | None = None
    """Partition; the cluster's default when unset."""

    account: str | None = None
    """Account to charge."""

    cores: int = Field(default=4, ge=1)
    """Processor cores of a job."""

    memory: str = "16GB"
    """Memory of a job, such as "16GB"."""

    walltime: str = "12:00:00"
    """Longest run of a job; a slide in hand when it ends is given to another."""

    gpus: int = Field(default=0, ge=0, le=1)
    """GPUs of a job; with 1, only workers that have one score slides."""

    fewest_jobs: int = Field(default=0, ge=0)
    """Jobs kept even when there is little to do."""

    most_jobs: int = Field(default=4, ge=1)
    """Jobs asked for at most."""

    job_directives: tuple[str, ...] = ()
    """Further directives of the job script, such as "--constraint=a100"."""

    job_prologue: tuple[str, ...] = ()
    """Shell lines run before the worker, such as "source /shared/cxpath/bin/activate"."""

    log_folder: str | None = None
    """Where the jobs' logs go."""


def read_queue_settings(path: Path | None) -> QueueSettings:
    """Read `--dask-config`; the defaults without one."""
    if path is None:
        return QueueSettings()
    return read_settings(QueueSettings, path, "see docs/how-to/cohorts.md")


def slurm_cluster(settings: QueueSettings) -> Any:
    """Return a `dask_jobqueue.SLURMCluster` that has asked for no job yet."""
    jobqueue = _library("dask_jobqueue")
    dask = _library("dask")
    offers = [f"--resources=GPU={settings.gpus}"] if settings.gpus else []
    gpus = [f"--gres=gpu:{settings.gpus}"] if settings.gpus else []
    return jobqueue.SLURMCluster(
        queue=settings.queue,
        account=settings.account,
        cores=settings.cores,
        processes=1,
        memory=settings.memory,
        walltime=settings.walltime,
        job_extra_directives=[*gpus, *settings.job_directives],
        job_script_prologue=[f"export OMP_NUM_THREADS={settings.cores}", *settings.job_prologue],
        worker_extra_args=["--nthreads=1", *offers],
        log_directory=settings.log_folder,
        # A login machine is shared: Dask's fixed port for the dashboard may be another batch's.
        scheduler_options={
            "dashboard_address": ":0",
            **dask.config.get("jobqueue.slurm.scheduler-options", {}),
        },
    )


@contextmanager
def connected(address: str, settings: QueueSettings) -> Iterator[Any]:
    """Give a client of the cluster at `address`, or of jobs in the Slurm queue when it is "slurm".

    Raises
    ------
    BatchError
        When Dask is not installed, or no scheduler answers.
    ConfigurationError
        When the address is none.
    """
    distributed = _library("distributed")
    if address == SLURM:
        with slurm_cluster(settings) as cluster:
            cluster.adapt(minimum_jobs=settings.fewest_jobs, maximum_jobs=settings.most_jobs)
            with distributed.Client(cluster) as client:
                yield client
        return
    if "://" not in address:
        raise ConfigurationError(f"--dask {address!r} is no address", "such as tcp://host:8786, or slurm")
    try:
        client = distributed.Client(address, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise BatchError(
            f"no Dask scheduler answers at {address}: {error}", "start one: dask scheduler"
        ) from error
    with client:
        yield client


def _library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise BatchError(f"--dask needs {name}, which is not installed", _INSTALL) from error


# Workers on any number of machines, through a Dask cluster; a lost worker's slides go to another.
#
# All machines must see the slides and the batch's folder under the same paths.


_LISTEN_S = 10.0
_GONE = "look at the scheduler's log, then run the same command again"
_ONE_AT_A_TIME = threading.Lock()
"""A worker with several threads still scores one slide at a time: the network fills the machine."""


@dataclass(frozen=True)
class DaskEngine:
    """Scores on the workers of a cluster.

    Parameters
    ----------
    attempt : Attempt
    connect : context manager
        Gives the `distributed.Client`, and ends what it started.
    needs_gpu : bool
        Use only workers that offer the resource "GPU", one slide for each.
    address : str
        For people.
    """

    attempt: Attempt
    connect: AbstractContextManager[Any]
    needs_gpu: bool = False
    address: str = "cluster"

    @property
    def name(self) -> str:
        """What it is."""
        return f"Dask, {self.address}"

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task; the cluster may grow and shrink meanwhile."""
        with self.connect as client:
            events: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
            topic = f"cxpath-{uuid4().hex}"  # a scheduler may serve several batches, or one again
            client.subscribe_topic(topic, lambda event: events.put(_started(event[1])))
            try:
                yield from self._follow(client, tasks, topic, events)
            finally:
                if client.status == "running":
                    client.unsubscribe_topic(topic)

    def _follow(
        self,
        client: Any,
        tasks: Sequence[SlideTask],
        topic: str,
        events: queue.SimpleQueue[Event | Exception],
    ) -> Iterator[Event]:
        by_key = {f"{topic}-{task.id}": task for task in tasks}
        futures = [self._submit(client, key, task, topic) for key, task in by_key.items()]
        for future in futures:
            future.add_done_callback(lambda done: events.put(self._answer(done, by_key[done.key])))
        waiting = len(futures)
        while waiting:
            event = _next_event(client, events)
            if isinstance(event, Exception):
                client.cancel(futures)
                raise event
            waiting -= isinstance(event, Finished)
            yield event

    def _submit(self, client: Any, key: str, task: SlideTask, topic: str) -> Any:
        resources = {"GPU": 1} if self.needs_gpu else None
        return client.submit(_settle, self.attempt, task, topic, key=key, resources=resources, retries=0)

    def _answer(self, future: Any, task: SlideTask) -> Event | Exception:
        """Turn what Dask says of a slide into an event; runs in a thread of the client."""
        if future.status == "finished":
            return Finished(future.result())
        error = future.exception() if future.status == "error" else None
        if isinstance(error, OutputError):
            return error
        if error is None:
            return BatchError("the Dask cluster dropped its work", _GONE)
        return Finished(_lost(StateFolder(self.attempt.batch), task, error))


def _next_event(client: Any, events: queue.SimpleQueue[Event | Exception]) -> Event | Exception:
    """Wait for what happens next; a scheduler that is gone will never say anything."""
    while True:
        try:
            return events.get(timeout=_LISTEN_S)
        except queue.Empty:
            if client.status in {"closing", "closed"}:
                raise BatchError("the Dask scheduler is gone", _GONE) from None


def _started(message: Mapping[str, str]) -> Started:
    return Started(message["id"], message["by"])  # Dask puts its own "worker" in


def _settle(attempt: Attempt, task: SlideTask, topic: str) -> Outcome:
    """Score one slide on a worker of the cluster."""
    from distributed import get_worker  # noqa: PLC0415  # only where Dask is used

    with _ONE_AT_A_TIME:
        get_worker().log_event(topic, {"id": task.id, "by": worker_name()})
        return attempt.settle(task, worker_name())


def _lost(state: StateFolder, task: SlideTask, error: Exception) -> Outcome:
    """Write down a slide whose workers all died, or that could not be sent."""
    if type(error).__name__ == "KilledWorker":
        outcome = died(state, task, "dask", f"{MOST_CRASHES} times, says Dask")
    else:
        earlier = state.read(task.id) or Outcome(task.id, Status.RUNNING, slide=task.shown_name)
        outcome = earlier
    if outcome.status is not Status.FAILED:
        outcome = failed(outcome, _plain(error))
        state.write(outcome)
    return outcome


def _plain(error: Exception) -> Exception:
    if type(error).__name__ == "KilledWorker":
        return CxpathError(
            "the workers of the cluster that scored it died, one after the other",
            "set aside; it may need more memory: try it alone with cxpath score",
        )
    return error
