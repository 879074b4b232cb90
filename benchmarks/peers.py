"""Other readers, each in a process of a second environment, told to read when it is their turn."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

NAMES = ("cucim", "tiffslide", "fastslide")
WORKER = Path(__file__).with_name("peer_worker.py")
ENVIRONMENT = Path(os.environ.get("CXPATH_PEERS", ".venv-peers"))
"""Made by `make peers`; their libraries must not meet cxpath's."""


class Peer:
    """One reader at work on one slide; a context manager.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    path : Path
    corners : sequence of (x, y)
        Level-0 corners of the patches.
    side : int
        Pixels of a patch, at twice the slide's µm per pixel.
    """

    def __init__(self, name: str, path: Path, corners: Sequence[tuple[int, int]], side: int) -> None:
        command = [
            str(ENVIRONMENT / "bin" / "python"),
            str(WORKER),
            name,
            str(path),
            str(side),
            json.dumps(corners),
        ]
        threads = {"OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | threads,
        )
        self.works = self._answer() == "ready"

    def seconds(self) -> float:
        """Read all patches once; return the seconds of processor time it took."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)


def environment_there() -> bool:
    """Say whether `make peers` was run."""
    return (ENVIRONMENT / "bin" / "python").exists()
