"""A Dask cluster of the tests' own: a scheduler and two workers, each a process that can be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
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
def cluster() -> Iterator[Cluster]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    scheduler = _start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    found_cluster = Cluster(f"tcp://127.0.0.1:{port}", [])
    for _ in range(2):
        found_cluster.start_worker()
    try:
        yield found_cluster
    finally:
        for process in (*found_cluster.workers, scheduler):
            process.kill()
            process.wait()


def _start(*words: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "dask", words[0], *words[1:]]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
