"""The `cxpath` command: collects the subcommands, turns errors into one line and an exit code.

Subcommands import what they need when they run, so that `cxpath --help` answers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import signal
import sys
from typing import Annotated

import typer

from cxpath.cli.agree import agree
from cxpath.cli.batch import batch
from cxpath.cli.config import config
from cxpath.cli.export import export
from cxpath.cli.models import model, synth
from cxpath.cli.output import FAILED, INTERRUPTED, USAGE
from cxpath.cli.patient import therapy, tmb
from cxpath.cli.review import review
from cxpath.cli.score import cases, demo, doctor, fields, report, score
from cxpath.cli.study import study
from cxpath.cli.surroundings import flushed, make_streams_print_anything, signals_end_with_cleanup
from cxpath.errors import AssayError, ConfigurationError, CxpathError
from cxpath.version import __version__

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

app = typer.Typer(
    name="cxpath",
    help="PD-L1 combined positive score (CPS) of cervical cancer slides. For Research Use Only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(score)
app.command()(fields)
app.command()(cases)
app.command()(report)
app.command()(export)
app.command()(doctor)
app.command()(tmb)
app.add_typer(agree, name="agree")
app.add_typer(batch, name="batch")
app.add_typer(review, name="review")
app.add_typer(study, name="study")
app.add_typer(model, name="model")
app.add_typer(synth, name="synth")
app.add_typer(config, name="config")
app.add_typer(therapy, name="therapy")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"cxpath {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what is being done.")] = False,
) -> None:
    level = logging.INFO if verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    if not _debugging():
        handler.addFilter(_is_own)
    logging.basicConfig(level=level, format="cxpath: %(message)s", handlers=[handler])


def _is_own(record: logging.LogRecord) -> bool:
    """Let only cxpath speak: other libraries name files, also those that a pseudonym hides."""
    return record.name.partition(".")[0] == "cxpath"


def main() -> None:
    """Run the command line; every foreseen error is one line on stderr."""
    make_streams_print_anything()
    if not _debugging():
        logging.captureWarnings(True)  # to a logger of another name than ours
    with signals_end_with_cleanup():
        code = _run()
    sys.exit(flushed(code))


def _run() -> int:
    """Run the command and return its exit code."""
    try:
        app()
    except SystemExit as end:
        return _ended(end.code)
    except (ConfigurationError, AssayError) as error:
        return _end_with(str(error), USAGE)
    except CxpathError as error:
        return _end_with(str(error), FAILED)
    except Exception as error:  # the last resort: a user never meets a traceback
        if _debugging():
            raise
        return _end_with(_unforeseen(error), FAILED)
    return 0


def _ended(code: str | int | None) -> int:
    if not isinstance(code, int):
        return 0 if code is None else _end_with(code, FAILED)
    if code > INTERRUPTED - signal.SIGINT:
        return _end_with(f"interrupted; what is finished is kept ({_how_to_resume()})", code)
    return code


def _how_to_resume() -> str:
    again = "run the same command again"
    return again if _hides_names() else f"{again}: {shlex.join(['cxpath', *sys.argv[1:]])}"


def _unforeseen(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return f"cannot be written: {error.strerror} (make room, then run the same command again)"
    kind = type(error).__name__
    reason = kind if _hides_names() else " ".join(str(error).split()) or kind
    return f"internal error: {reason} (please report it; CXPATH_DEBUG=1 shows where)"


def _hides_names() -> bool:
    return "--pseudonym" in sys.argv


def _debugging() -> bool:
    return bool(os.environ.get("CXPATH_DEBUG"))


def _end_with(line: str, code: int) -> int:
    print(f"cxpath: {line}", file=sys.stderr)
    return code
