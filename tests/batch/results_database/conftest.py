"""The same suite on SQLite and on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian_packages import free_port, require_program


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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without cohorts of this test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'results.db'}"
    return str(request.getfixturevalue("postgresql"))
