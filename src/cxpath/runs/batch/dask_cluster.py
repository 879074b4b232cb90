"""Reaching a Dask cluster: one that runs already, or workers asked of a Slurm queue for this batch alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from cxpath.values.errors import BatchError, ConfigurationError
from cxpath.values.settings import Settings
from cxpath.values.settings_file import read_settings

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
