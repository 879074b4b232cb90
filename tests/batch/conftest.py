"""Services of the tests' own: a Dask cluster to kill workers of, a Slurm queue, a PostgreSQL server."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from tests.debian_packages import free_port, require_program, skip

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180.0


@dataclass(frozen=True)
class Cluster:
    """Address of the scheduler, and the worker processes."""

    address: str
    workers: list[subprocess.Popen[bytes]]

    def start_worker(self) -> None:
        """Add a worker without a nanny: when it is killed, it stays dead."""
        self.workers.append(_start("worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard"))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with TLS, by Dask's settings, as docs/how-to/cohorts.md sets up two workstations."""
    settings = _write_tls_settings(tmp_path / "dask")
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "dask"))
    port = free_port()
    where = ("--host", "127.0.0.1", "--port", str(port), "--protocol", "tls")
    scheduler = _start("scheduler", *where, "--dashboard-address", "127.0.0.1:0")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    found_cluster = Cluster(f"tls://127.0.0.1:{port}", [])
    for _ in range(2):
        found_cluster.start_worker()
    try:
        with dask.config.set(settings):
            yield found_cluster
    finally:
        for process in (*found_cluster.workers, scheduler):
            process.kill()
            process.wait()


def _write_tls_settings(folder: Path) -> dict[str, Any]:
    """Write a certificate and the settings of Dask that name it; return these settings."""
    folder.mkdir()
    made: Any = distributed.Security.temporary()  # type: ignore[no-untyped-call]
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(made.tls_ca_file)
    key.write_text(made.tls_worker_key)
    roles = {role: {"cert": str(certificate), "key": str(key)} for role in ("client", "scheduler", "worker")}
    tls = {"ca-file": str(certificate), **roles}
    settings = {"distributed": {"comm": {"require-encryption": True, "tls": tls}}}
    (folder / "cxpath.yaml").write_text(json.dumps(settings))  # which is YAML, too
    return {f"distributed.comm.tls.{name}": value for name, value in tls.items()}


SLURM = """
ClusterName=cxpath
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
StateSaveLocation={home}
SlurmdSpoolDir={home}/spool
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Slurm queue of this machine alone, from Debian's packages; nobody is asked who he is."""
    controller = require_program("slurmctld", "slurmctld", "slurmd", "slurm-client")
    node, home, host = (
        require_program("slurmd", "slurmd"),
        tmp_path / "slurm",
        platform.node().partition(".")[0],
    )
    (home / "spool").mkdir(parents=True)
    text = SLURM.format(
        host=host, home=home, cores=os.cpu_count(), controller_port=free_port(), node_port=free_port()
    )
    (home / "slurm.conf").write_text(text, encoding="utf-8")
    monkeypatch.setenv("SLURM_CONF", str(home / "slurm.conf"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    daemons = [subprocess.Popen([controller, "-D"], **quiet)]  # type: ignore[call-overload]
    daemons.append(subprocess.Popen([node, "-D", "-N", host], **quiet))  # type: ignore[call-overload]
    try:
        _wait_for_idle_node()
        yield
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def _wait_for_idle_node() -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        state = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False
        )
        if state.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    skip("slurmctld and slurmd do not come up here")


def _start(*words: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "dask", words[0], *words[1:]]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL, from Debian's package, installed as root when it is missing."""
    require_program("pg_lsclusters", "postgresql")  # comes with the server, whatever its version
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    home = Path(tempfile.mkdtemp(prefix="cxpath-postgresql-"))  # pytest's folders are root's alone
    shutil.chown(home, "postgres", "postgres")  # the server refuses to run as root
    port = free_port()

    def run(*words: str) -> None:
        command = ["runuser", "-u", "postgres", "--", str(programs / words[0]), *words[1:]]
        subprocess.run(command, check=True, cwd=home, stdout=subprocess.DEVNULL, timeout=120)

    data = str(home / "data")
    run("initdb", "--pgdata", data, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "start", "--pgdata", data, "--wait", "--log", str(home / "log"), "--options", options)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "--pgdata", data, "--mode=immediate")
        shutil.rmtree(home)
