"""What surrounds a command: terminals that cannot print all letters, full disks, signals that end it."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from cxpath.cli.output import FAILED

_IN_PLAIN_LETTERS = {
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "≠": "!=",
    "±": "+/-",
    "−": "-",
    "–": "-",
    "—": "-",
    "×": "x",
    "·": ".",
    "•": "*",
    "µ": "u",
    "μ": "u",
    "²": "2",
    "³": "3",
    "κ": "kappa",
    "α": "alpha",
    "→": "->",
    "…": "...",
    "“": "'",
    "”": "'",
    "‘": "'",
    "’": "'",
}
"""What stands for signs that a terminal lacks: a question mark in place of ≥ would mislead."""

_PLAIN = "cxpath.plain"
_ENDING = ("SIGTERM", "SIGHUP")


def make_streams_print_anything() -> None:
    """Let no letter stop a command: what an encoding lacks is written plainly.

    Output to a file or a pipe is UTF-8 on every system, unless `PYTHONIOENCODING` says otherwise.
    """
    codecs.register_error(_PLAIN, _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            chosen = stream.isatty() or os.environ.get("PYTHONIOENCODING")
            stream.reconfigure(encoding=stream.encoding if chosen else "utf-8", errors=_PLAIN)


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_IN_PLAIN_LETTERS.get(letter, "?") for letter in missing), error.end


@contextmanager
def signals_end_with_cleanup() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does, so that nothing half-written is left.

    Slurm, systemd and containers send them. One that is handled or ignored already (nohup) stays so.
    """
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    ours = []
    with suppress(ValueError):  # signals belong to the main thread
        for number in numbers:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
                ours.append(number)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one shall not disturb the cleaning up
    raise SystemExit(128 + number)


def flushed(code: int) -> int:
    """Write out what was printed; return the exit code, or that of failure when it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"cxpath: what was printed cannot be written: {error.strerror}", file=sys.stderr)
        with suppress(OSError, ValueError):  # else Python tries again at its end, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or FAILED
    return code
