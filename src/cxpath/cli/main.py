"""The `cxpath` command: collects the subcommands, turns errors into one line and an exit code.

Subcommands import what they need when they run, so that `cxpath --help` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from cxpath.cli.agree import agree, calibrate
from cxpath.cli.batch import batch
from cxpath.cli.models import evaluate, models, synth, train
from cxpath.cli.output import FAILED, USAGE
from cxpath.cli.patient import therapy, tmb
from cxpath.cli.score import cases, demo, doctor, fields, report, score
from cxpath.errors import AssayError, ConfigurationError, CxpathError
from cxpath.version import __version__

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
app.command()(calibrate)
app.command()(report)
app.command()(doctor)
app.command()(train)
app.command()(evaluate)
app.command()(tmb)
app.add_typer(agree, name="agree")
app.add_typer(batch, name="batch")
app.add_typer(models, name="models")
app.add_typer(synth, name="synth")
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
    logging.basicConfig(level=level, format="cxpath: %(message)s", stream=sys.stderr)


def main() -> None:
    """Run the command line; every foreseen error is one line on stderr."""
    try:
        app()
    except (ConfigurationError, AssayError) as error:
        _fail(str(error), USAGE)
    except CxpathError as error:
        _fail(str(error), FAILED)
    except Exception as error:  # the last resort: a user never meets a traceback
        if os.environ.get("CXPATH_DEBUG"):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        _fail(f"internal error: {reason} (please report it; CXPATH_DEBUG=1 shows where)", FAILED)


def _fail(line: str, code: int) -> None:
    print(f"cxpath: {line}", file=sys.stderr)
    sys.exit(code)
