"""Scoring with several workers: Dask on this machine, on a Slurm queue, or at an address.

One engine for all of them. Every connection is encrypted and both ends show a certificate that was made for
this batch alone; the scheduler of local workers listens on the loopback interface only.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import active_children
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import Field

from cxpath.batch.attempt import Attempt, crashes_so_far, failed
from cxpath.batch.task import Event, Finished, Moved, SlideTask, Started, StateFolder
from cxpath.data import Settings, read_settings, usable_cores
from cxpath.documents import Outcome, Status
from cxpath.errors import BatchError, ConfigurationError, CxpathError, OutputError

# What to ask a queue for.


SLURM = "slurm"
_INSTALL = "pip install 'cxpath[cluster]'"
_PATIENCE_S = 30
_log = logging.getLogger(__name__)


class QueueSettings(Settings):
    """A file of `--dask-config`: what to ask the queue for. One job starts one worker."""

    queue: str | None = None
    """Partition; the cluster's default when unset."""

    account: str | None = None
    """Account to charge."""

    cores: int = Field(default=4, ge=1)
    """CPU cores of a job."""

    memory: str = "16GB"
    """Memory of a job, such as "16GB"."""

    walltime: str = "12:00:00"
    """Longest run of a job; a slide in hand when it ends is given to another."""

    gpus: int = Field(default=0, ge=0, le=1)
    """GPUs of a job; with 1, only workers that have one score slides."""

    fewest_jobs: int = Field(default=0, ge=0)
    """Jobs kept even when there is little to do."""

    most_jobs: int = Field(default=4, ge=1)
    """Largest number of jobs."""

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


# Clusters: worker processes here, jobs of a queue, or one that runs already.


_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
_LOOPBACK = "127.0.0.1"
_NO_PAGES: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Dask's pages would tell anybody at this machine which slides are scored."""

_KEEP_WORKERS = {"distributed.deploy.lost-worker-timeout": "1000 days"}
"""A worker that died is started again, however long that takes; Dask would give its place up after 15 s."""

_OWN_MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
"""Dask has workers give memory back at once; every tile asks for it again, a quarter of the time."""

_GRACE_S = 20.0


def environment_of(number: int, workers: int, gpus: Sequence[str]) -> dict[str, str]:
    """Return what a local worker's environment shall say: its share of the processors, its GPU."""
    threads = max(1, len(usable_cores()) // workers)
    found = {name: str(threads) for name in _THREAD_VARIABLES if name not in os.environ}
    if gpus:
        found["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return found


@contextmanager
def local_client(workers: int, gpus: Sequence[str] = ()) -> Iterator[Any]:
    """Give a client of worker processes on this machine; they end with this process, however it ends.

    Raises
    ------
    BatchError
        When Dask is not installed, or no worker starts.
    """
    dask, distributed = _library("dask"), _library("distributed")
    with (
        TemporaryDirectory(prefix="cxpath-dask-") as scratch,
        dask.config.set(_NO_PAGES | _KEEP_WORKERS | _OWN_MEMORY),
    ):
        security = _temporary_security(distributed)
        shared = {"host": _LOOPBACK, "security": security, "protocol": "tls://"}
        pages = {"dashboard": False, "dashboard_address": f"{_LOOPBACK}:0"}
        # A slide that ends its workers is set aside by its own record; the others must not share its fate.
        scheduler = {**shared, **pages, "port": 0, "allowed_failures": 10**6}
        quiet = {"memory_limit": 0, "silence_logs": logging.CRITICAL}
        worker = {**shared, **pages, **quiet, "nthreads": 1, "local_directory": scratch}
        spec = {
            number: {
                "cls": distributed.Nanny,
                "options": {**worker, "env": environment_of(number - 1, workers, gpus)},
            }
            for number in range(1, workers + 1)
        }
        try:
            cluster = distributed.SpecCluster(
                workers=spec,
                scheduler={"cls": distributed.Scheduler, "options": scheduler},
                security=security,
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:
            raise BatchError(f"no worker process starts: {error}", "try cxpath doctor") from error
        try:
            with distributed.Client(cluster, security=security) as client:
                yield client
        finally:
            _end(cluster)


def _end(cluster: Any) -> None:
    """End local workers; one that does not end by itself is killed: all it has to say is on disk."""
    try:
        cluster.close(timeout=_GRACE_S)
    except TimeoutError:
        _log.info("worker processes that do not end are killed")
    for child in active_children():
        if child.name.startswith("Dask"):
            child.kill()
            child.join()


def slurm_cluster(settings: QueueSettings, certificates: Path) -> Any:
    """Return a `dask_jobqueue.SLURMCluster` that has asked for no job yet.

    Parameters
    ----------
    settings : QueueSettings
    certificates : Path
        A folder that the jobs see, too. The key lies there, readable by this user alone, while the cluster is
        open.
    """
    jobqueue, dask = _library("dask_jobqueue"), _library("dask")
    offers = [f"--resources=GPU={settings.gpus}"] if settings.gpus else []
    gpus = [f"--gres=gpu:{settings.gpus}"] if settings.gpus else []
    # The port is any free one: a login machine is shared, and Dask's fixed one may be another batch's.
    pages = {"dashboard": False, "dashboard_address": f"{_LOOPBACK}:0"}
    of_site = dask.config.get("jobqueue.slurm.scheduler-options", {})
    quiet = {} if "dashboard_address" in of_site else _NO_PAGES
    with dask.config.set(quiet):
        return jobqueue.SLURMCluster(
            queue=settings.queue,
            account=settings.account,
            cores=settings.cores,
            processes=1,
            memory=settings.memory,
            walltime=settings.walltime,
            job_extra_directives=[*gpus, *settings.job_directives],
            job_script_prologue=[f"export OMP_NUM_THREADS={settings.cores}", *settings.job_prologue],
            worker_extra_args=[
                "--nthreads=1",
                f"--dashboard-address={_LOOPBACK}:0",
                "--no-dashboard",
                *offers,
            ],
            log_directory=settings.log_folder,
            security=_security_in(certificates, _library("distributed")),
            scheduler_options={**pages, **of_site},
        )


@contextmanager
def slurm_client(settings: QueueSettings, batch: Path) -> Iterator[Any]:
    """Give a client of jobs in the Slurm queue; as many as there is work for, and no more than allowed."""
    distributed, state = _library("distributed"), StateFolder(batch)
    state.create()
    with (
        TemporaryDirectory(prefix="certificates-", dir=state.folder) as certificates,
        slurm_cluster(settings, Path(certificates)) as cluster,
    ):
        cluster.adapt(minimum_jobs=settings.fewest_jobs, maximum_jobs=settings.most_jobs)
        with distributed.Client(cluster, security=cluster.security) as client:
            yield client


@contextmanager
def client_at(address: str) -> Iterator[Any]:
    """Give a client of a cluster that runs already; with `tls://`, by the certificates of Dask's settings.

    Raises
    ------
    BatchError
        When Dask is not installed, or no scheduler answers.
    ConfigurationError
        When the address is none, or its certificates are not there.
    """
    distributed = _library("distributed")
    if "://" not in address:
        raise ConfigurationError(f"--dask {address!r} is no address", "such as tls://host:8786, or slurm")
    if not _is_guarded(address):
        _log.warning(
            "%s: is not encrypted: whoever reaches it can run programs as you (see docs/how-to/cohorts.md)",
            address,
        )
    try:
        client = distributed.Client(address, timeout=_PATIENCE_S)
    except (TypeError, RuntimeError) as error:  # how Dask says that there are no certificates
        hint = "set distributed.comm.tls in Dask's settings (see docs/how-to/cohorts.md)"
        raise ConfigurationError(f"--dask {address}: {error}", hint) from error
    except (OSError, ValueError) as error:
        raise BatchError(
            f"no Dask scheduler answers at {address}: {error}", "start one: dask scheduler"
        ) from error
    with client:
        yield client


def _is_guarded(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "tls" or parts.hostname in {_LOOPBACK, "localhost", "::1"}


def _temporary_security(distributed: Any) -> Any:
    """Return certificates made for this batch alone."""
    if find_spec("cryptography") is None:
        raise _not_installed("cryptography")
    return distributed.Security.temporary()


def _security_in(folder: Path, distributed: Any) -> Any:
    """Write certificates made for this batch alone to a folder that the jobs see, for this user's eyes."""
    made, files = _temporary_security(distributed), {}
    for name, content in (("certificate", made.tls_ca_file), ("key", made.tls_worker_key)):
        path = folder / f"{name}.pem"
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(content)
        files[name] = str(path)
    roles = ("client", "scheduler", "worker")
    return distributed.Security(
        require_encryption=True,
        tls_ca_file=files["certificate"],
        **{f"tls_{role}_cert": files["certificate"] for role in roles},
        **{f"tls_{role}_key": files["key"] for role in roles},
    )


def _library(name: str) -> Any:
    try:
        found = import_module(name)
    except ImportError as error:
        raise _not_installed(name) from error
    for logger in ("distributed", "tornado.application"):  # a worker that is lost is no news: we say so
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    return found


def _not_installed(name: str) -> BatchError:
    return BatchError(f"several workers need {name}, which is not installed", _INSTALL)


# The engine: slides are handed out as workers become free; a lost worker's slides go to another.
#
# All machines must see the slides and the batch's folder under the same paths.


_LISTEN_S = 10.0
_TELL_EVERY_S = 1.0
_MOST_LOSSES = 10
"""A slide that Dask gives back so often without having begun it is given up."""

_GONE = "look at the scheduler's log, then run the same command again"
_ONE_AT_A_TIME = threading.Lock()
"""A worker with several threads still scores one slide at a time: the network fills the machine."""


def local_engine(attempt: Attempt, workers: int, gpus: tuple[str, ...] = ()) -> DaskEngine:
    """Return the engine of several worker processes on this machine.

    Parameters
    ----------
    attempt : Attempt
    workers : int
    gpus : tuple of str
        What each worker in turn shall see as its one GPU; none: they share the processor.
    """
    _library("distributed")
    where = f" on {len(gpus)} GPU{'s'[: len(gpus) > 1]}" if gpus else ""
    return DaskEngine(attempt, lambda: local_client(workers, gpus), f"{workers} local workers{where}")


def cluster_engine(
    attempt: Attempt, address: str, settings: QueueSettings, device: str = "auto"
) -> DaskEngine:
    """Return the engine of a cluster at an address, or of jobs in the Slurm queue when it is "slurm".

    Its name is written into results, so it does not say the address.
    """
    _library("distributed")
    needs_gpu = settings.gpus > 0 or device == "cuda"
    if address == SLURM:
        return DaskEngine(
            attempt,
            lambda: slurm_client(settings, attempt.batch),
            "Slurm queue",
            needs_gpu=needs_gpu,
            fewest_in_hand=settings.most_jobs,
        )
    return DaskEngine(attempt, lambda: client_at(address), "Dask cluster", needs_gpu=needs_gpu)


@dataclass(frozen=True)
class DaskEngine:
    """Scores on the workers of a cluster.

    Parameters
    ----------
    attempt : Attempt
    connect : callable
        Gives the `distributed.Client` for the time of a block, and ends what it started.
    name : str
        What it is.
    needs_gpu : bool
        Use only workers that offer the resource "GPU", one slide for each.
    fewest_in_hand : int
        Slides handed out even when there are fewer workers: a queue starts jobs for work that waits.
    """

    attempt: Attempt
    connect: Callable[[], AbstractContextManager[Any]]
    name: str
    needs_gpu: bool = False
    fewest_in_hand: int = 1

    def run(self, tasks: Sequence[SlideTask]) -> Generator[Event, None, None]:
        """Attempt every task; the cluster may grow and shrink meanwhile."""
        if not tasks:
            return
        hands = _Hands(self, deque(tasks))
        with ExitStack() as at_end:
            at_end.callback(hands.tidy)  # when what the cluster started has ended
            client = at_end.enter_context(self.connect())
            yield from hands.events(client)


@dataclass
class _Hands:
    """What is handed out to the workers of one run, and what they say."""

    engine: DaskEngine
    waiting: deque[SlideTask]
    topic: str = field(
        default_factory=lambda: f"cxpath-{uuid4().hex}"
    )  # a scheduler may serve several batches
    said: queue.SimpleQueue[Mapping[str, Any] | Any] = field(default_factory=queue.SimpleQueue)
    given: dict[str, tuple[SlideTask, Any]] = field(default_factory=dict)
    begun: dict[str, SlideTask] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    handed_out: int = 0

    @property
    def state(self) -> StateFolder:
        """The folder of the batch's state."""
        return StateFolder(self.engine.attempt.batch)

    def events(self, client: Any) -> Iterator[Event]:
        """Give out slides until all are done, and yield what workers report."""
        client.subscribe_topic(self.topic, lambda event: self.said.put(event[1]))
        try:
            while self.waiting or self.given:
                self._hand_out(client)
                yield from self._hear(client)
        finally:
            if client.status == "running":
                client.cancel([future for _, future in self.given.values()])
                client.unsubscribe_topic(self.topic)

    def tidy(self) -> None:
        """Note which slides were interrupted, and remove what is half-written of them."""
        for task, _ in self.given.values():  # also one whose beginning was not heard any more
            try:
                with self.state.slide_lock(task.id, patience_s=1.0):
                    self.state.clear_leftovers(task.folder)
                    outcome = self.state.read(task.id)
                    if outcome and outcome.status is Status.RUNNING:
                        self.state.write(outcome.updated(interrupted=True))
            except CxpathError:  # a worker that is not ours still scores it, or nothing can be written
                continue

    def _hand_out(self, client: Any) -> None:
        """Give out one slide for each worker: Dask would blame all that wait at a worker for its death."""
        if not self.waiting:
            return
        workers = len(client.nthreads())
        while self.waiting and len(self.given) < max(workers, self.engine.fewest_in_hand):
            task, self.handed_out = self.waiting.popleft(), self.handed_out + 1
            if earlier := self.state.read(task.id):  # what ended processes in earlier runs is not of this one
                self.deaths.setdefault(task.id, crashes_so_far(earlier))
            key = f"{self.topic}-{self.handed_out}"  # not by the slide's name, which Dask's logs would tell
            needs = {"GPU": 1} if self.engine.needs_gpu else None
            future = client.submit(
                _settle,
                self.engine.attempt,
                task,
                self.topic,
                key=key,
                resources=needs,
                retries=0,
                pure=False,
            )
            self.given[key] = task, future
            future.add_done_callback(self.said.put)

    def _hear(self, client: Any) -> Iterator[Event]:
        try:
            message = self.said.get(timeout=_LISTEN_S)
        except queue.Empty:  # a scheduler that is gone will never say anything
            if client.status in {"closing", "closed"}:
                raise BatchError("the Dask scheduler is gone", _GONE) from None
            return
        if not isinstance(message, Mapping):
            yield from self._settled(message)
        elif "total" in message:
            yield Moved(message["by"], message["done"], message["total"])
        else:
            yield from self._started(message["id"], message["by"])

    def _started(self, slide_id: str, worker: str) -> Iterator[Event]:
        task = next((task for task, _ in self.given.values() if task.id == slide_id), None)
        if task is None:  # its end was heard first
            return
        if slide_id in self.begun:  # whoever had it before is gone
            yield self._death_of(task)
        self.begun[slide_id] = task
        yield Started(slide_id, worker)

    def _settled(self, future: Any) -> Iterator[Event]:
        """Turn what Dask says of a slide into events."""
        task, _ = self.given.pop(future.key)
        if future.status == "finished":
            self.begun.pop(task.id, None)
            outcome: Outcome = future.result()
            future.release()  # a result that its worker still has would be made again when that one dies
            while self.deaths.get(task.id, 0) < outcome.crashes:  # a worker that dies at once says nothing
                yield self._death_of(task)
            yield Finished(outcome)
            return
        error = future.exception() if future.status == "error" else None
        if isinstance(error, OutputError):
            raise error
        if error is None:
            raise BatchError("the Dask cluster dropped its work", _GONE)
        if type(error).__name__ == "KilledWorker" and self._may_be_innocent(task):
            self.waiting.append(task)
            return
        self.begun.pop(task.id, None)
        yield Finished(self._given_up(task, error))

    def _death_of(self, task: SlideTask) -> Finished:
        """Return that a worker died over a slide, which another one is given."""
        self.deaths[task.id] = self.deaths.get(task.id, 0) + 1
        return Finished(Outcome(id=task.id, status=Status.RUNNING, slide=task.shown_name))

    def _may_be_innocent(self, task: SlideTask) -> bool:
        """Say whether a slide is to be tried again: its own record tells whether it ended the workers."""
        self.losses[task.id] = self.losses.get(task.id, 0) + 1
        return self.losses[task.id] < _MOST_LOSSES

    def _given_up(self, task: SlideTask, error: Exception) -> Outcome:
        """Write down a slide that could not be sent, or whose workers all died before they began it."""
        begun = self.state.read(task.id) or Outcome(id=task.id, status=Status.RUNNING, slide=task.shown_name)
        outcome = failed(begun, _plain(error), task)
        self.state.write(outcome)
        return outcome


def _settle(attempt: Attempt, task: SlideTask, topic: str) -> Outcome:
    """Score one slide on a worker."""
    worker = import_module("distributed").get_worker()
    name = _shown(worker)
    with _ONE_AT_A_TIME:
        _let_only_cxpath_speak()
        worker.log_event(topic, {"id": task.id, "by": name})
        return attempt.settle(task, name, _Telling(worker, topic, name))


def _shown(worker: Any) -> str:
    """Return a name of a worker that tells nothing of its computer: Dask's own is often an address."""
    plain = isinstance(worker.name, int) or str(worker.name).isdecimal()
    return f"worker {worker.name}" if plain else f"worker {str(worker.id)[-8:]}"


class _Telling:
    """Tells the tiles that a worker has done, now and then."""

    def __init__(self, worker: Any, topic: str, name: str) -> None:
        self._worker, self._topic, self._name = worker, topic, name
        self._reported_s = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        if done < total and monotonic() - self._reported_s < _TELL_EVERY_S:
            return
        self._reported_s = monotonic()
        self._worker.log_event(self._topic, {"by": self._name, "done": done, "total": total})


def _let_only_cxpath_speak() -> None:
    """Keep other libraries' log lines out of a worker's: they name files, also those a pseudonym hides."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("cxpath: %(message)s"))
    handler.addFilter(logging.Filter("cxpath"))
    root.addHandler(handler)


def _plain(error: Exception) -> Exception:
    if type(error).__name__ == "KilledWorker":
        return CxpathError(
            "the workers of the cluster ended before they began it",
            "look at the cluster's logs, then run the same command again",
        )
    return error
