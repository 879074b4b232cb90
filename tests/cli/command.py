"""Runs the `cxpath` command in this process: the same `main`, without starting Python anew each time."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from cxpath.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a finished command left on the terminal."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def only_line(self) -> str:
        """The one line of an error."""
        lines = self.stderr.strip().splitlines()
        assert len(lines) == 1, self.stderr
        assert self.stdout == ""
        return lines[0]


def cxpath(*words: str | Path) -> Done:
    """Run `cxpath` with these words."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["cxpath", *map(str, words)])
        patch.setenv("COLUMNS", "200")
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())
