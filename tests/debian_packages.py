"""Services that tests start from Debian's packages: installed as root, else a skip that says why."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest


def require_program(program: str, *packages: str) -> str:
    """Return the path of a program, installed when it is missing; skip (in CI: fail) without it."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    if os.getuid() != 0:
        skip(f"only root can install and start {program} from Debian's packages")
    if shutil.which(program, path=path) is None:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = [
            "apt-get",
            "-o",
            "DPkg::Lock::Timeout=600",
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            *packages,
        ]
        for words in (["apt-get", "update", "--quiet"], install):
            try:
                subprocess.run(words, env=quiet, stdout=subprocess.DEVNULL, check=False, timeout=600)
            except FileNotFoundError:
                skip(f"{program} is not installed, and there is no apt-get")
    found = shutil.which(program, path=path)
    if found is None:
        skip(f"{program} is not installed and apt-get could not install it")
    return str(found)


def skip(reason: str) -> None:
    """Skip the test; fail it in CI, where the service must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
