"""The same suite on SQLite and on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _skip(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL, from Debian's package, installed as root when it is missing."""
    if os.getuid() != 0:
        _skip("only root can install and start PostgreSQL from Debian's packages")
    programs = _programs()
    if programs is None:
        _skip("PostgreSQL is not installed and apt-get could not install it")
    assert programs is not None
    home = Path(tempfile.mkdtemp(prefix="cxpath-postgresql-"))  # pytest's folders are root's alone
    shutil.chown(home, "postgres", "postgres")  # the server refuses to run as root
    port = _free_port()

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


def _programs() -> Path | None:
    if not SERVER_FOLDERS:
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "postgresql"]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["apt-get", "update", "--quiet"], install):
            subprocess.run(words, env=quiet, stdout=subprocess.DEVNULL, check=False, timeout=600)
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without cohorts of this test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'results.db'}"
    return str(request.getfixturevalue("postgresql"))
