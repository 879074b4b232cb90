"""`cxpath` and `cxpath config`: collects the subcommands, turns errors into one line and an exit code.

Subcommands import what they need when they run, so that `cxpath --help` answers at once.
"""

from __future__ import annotations

import codecs
import errno
import gc
import io
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import dropwhile, pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from cxpath import __version__
from cxpath.cli.agree import agree
from cxpath.cli.batch import batch
from cxpath.cli.models import model, synth
from cxpath.cli.output import (
    FAILED,
    INTERRUPTED,
    USAGE,
    ConfigOption,
    JsonOption,
    OverwriteOption,
    SettingsOption,
    effective_configuration,
    print_document,
)
from cxpath.cli.patient import therapy, tmb
from cxpath.cli.review import review
from cxpath.cli.score import cases, demo, doctor, export, fields, report, score
from cxpath.cli.study import study
from cxpath.errors import AssayError, ConfigurationError, CxpathError, MissingFileError, OutputError

# `cxpath config`: the settings of a run, written, shown, and where bundled files are.

config = typer.Typer(help="Write settings to a file, show them, find bundled files.", no_args_is_help=True)


@config.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("cxpath.toml"),
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write every setting with its default, commented, to change and pass with --config."""
    from cxpath.data import bundled
    from cxpath.io import atomic_write

    if path.exists() and not overwrite:
        raise OutputError(f"{path}: the file exists", "pass --overwrite or name another file")
    with atomic_write(path) as partial:
        partial.write_bytes((bundled("configs") / "default.toml").read_bytes())
    print_document(
        {"config": str(path)}, [f"config   {path}  (use it with --config {path})"], as_json=as_json
    )


@config.command()
def show(config: ConfigOption = None, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Print the settings that a run with these options would use, as TOML."""
    import tomli_w

    found = effective_configuration(config, settings, None).model_dump(mode="json", exclude_none=True)
    print_document(found, [tomli_w.dumps(found).rstrip()], as_json=as_json)


@config.command()
def path(
    name: Annotated[
        str,
        typer.Argument(
            help="A bundled file or folder, such as therapy or assays/22c3.toml; models is where the "
            "models are."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Print where the bundled configuration files are, or one of them."""
    from cxpath.data import bundled

    folder = bundled("models") if name.split("/")[0] == "models" else bundled("configs")
    found = (folder / name.removeprefix("models").strip("/")).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{name}: not among the bundled files", "cxpath config path lists them")
    if not found.exists():
        known = ", ".join(sorted(one.name for one in folder.iterdir()))
        raise MissingFileError(f"{name}: no such bundled file", f"there are: models, {known}")
    print_document({"path": str(found)}, [str(found)], as_json=as_json)


# What surrounds a command: terminals that cannot print all letters, full disks, signals that end it.

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
        print(f"cxpath: the output cannot be written: {error.strerror}", file=sys.stderr)
        with suppress(OSError, ValueError):  # else Python tries again at its end, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or FAILED
    return code


_NOT_OURS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EIO,
    errno.EMFILE,
}
"""What the system refuses for reasons that are no fault of the program."""
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
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print what is being done.")] = False,
) -> None:
    level = logging.INFO if verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_given_names)
    if not _debugging():
        handler.addFilter(_is_own)
    logging.basicConfig(level=level, format="cxpath: %(message)s", handlers=[handler])


def _is_own(record: logging.LogRecord) -> bool:
    """Say whether a record is cxpath's own: other libraries name files, also those that a pseudonym hides."""
    return record.name.partition(".")[0] == "cxpath"


def main() -> None:
    """Run the command line; every foreseen error is one line on stderr."""
    make_streams_print_anything()
    if not _debugging():
        logging.captureWarnings(True)  # to a logger of another name than ours
    with signals_end_with_cleanup():
        code = _run()
    code = flushed(code)
    gc.freeze()  # else Python looks for garbage among all that libraries defined, a third of a second long
    sys.exit(code)


def _run() -> int:
    """Run the command and return its exit code."""
    try:
        _refuse_empty(sys.argv[1:])
        _refuse_shared_folders(sys.argv[1:])
        # standalone, it would print a mistyped command line as it is
        return _ended(app(standalone_mode=False) if _hides_names() else app())
    except SystemExit as end:
        return _ended(end.code)
    except (ConfigurationError, AssayError) as error:
        return _end_with(str(error), USAGE)
    except CxpathError as error:
        return _end_with(str(error), FAILED)
    except Exception as error:  # the last resort: a user never meets a traceback
        if says := getattr(error, "format_message", None):  # of a command line that makes no sense
            return _end_with(f"{says()} (see --help; put names with spaces in quotes)", USAGE)
        if _debugging():
            raise
        return _end_with(_unforeseen(error), FAILED)


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument, which would be read as the current folder: an unset variable of a shell.

    Raises
    ------
    ConfigurationError
    """
    for before, argument in pairwise(["", *arguments]):
        name = argument.strip().removesuffix("=")
        if not argument.strip() or (name.startswith("--") and argument == f"{name}="):
            what = name or before if (name or before).startswith("-") else "an argument"
            raise ConfigurationError(f"{what} is empty", "give a value; is a variable of the shell unset?")


def _refuse_shared_folders(arguments: Sequence[str]) -> None:
    """Refuse to write results among everything else of a computer or a person.

    Raises
    ------
    ConfigurationError
    """
    for before, argument in pairwise(["", *arguments, ""]):
        name, joined, value = argument.partition("=")
        folder = value if name == "--out" and joined else argument if before == "--out" else ""
        if folder and os.path.realpath(folder) in _shared_folders(folder):
            raise ConfigurationError(
                f"--out {folder} is no folder for results alone", "name a folder inside it: it will be made"
            )


def _shared_folders(path: str) -> set[str]:
    """Return the root of a path's file system and the home folder, where there is one."""
    found = {Path(os.path.realpath(path)).anchor}
    with suppress(RuntimeError):
        found.add(os.path.realpath(Path.home()))
    return found


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
    if isinstance(error, OSError) and error.errno in _NOT_OURS:
        where = f"{error.filename}: " if error.filename and not _hides_names() else ""
        return f"{where}cannot be read or written: {error.strerror} (check the path and its permissions)"
    kind = type(error).__name__
    reason = kind if _hides_names() else " ".join(str(error).split()) or kind
    return f"internal error: {reason} (please report it; CXPATH_DEBUG=1 shows where)"


def _hides_names() -> bool:
    return "--pseudonym" in sys.argv


_FILES = {
    "--regions": "the regions file",
    "--cells": "the cells file",
    "--class-map": "the class map",
    "--profile": "the profile",
    "--config": "the settings file",
    "--model": "the model",
    "--baseline": "the baseline",
    "--dask-config": "the queue settings",
}
"""Options that name files, and how messages call these with `--pseudonym`."""

_FLAGS = {"--pseudonym", "--overwrite", "--research", "--review", "--json", "--check", "--verbose", "-v"}
_COMMANDS = {"score", "batch", "run", "-v", "--verbose"}
_NO_FILES = {"--out", "--set", "--sql", "--ignore-class"}
_SUFFIX = re.compile(r"\.[A-Za-z]\w{1,8}$")


def _without_given_names(record: logging.LogRecord) -> bool:
    """Let a line of the log name no file of the command line where names are to be hidden."""
    if _hides_names():
        record.msg, record.args = _hidden(record.getMessage()), ()
    return True


def _hidden(line: str) -> str:
    """Return a line for the terminal; with `--pseudonym` without the files that the command line names.

    The folder for results (`--out`) stays: whoever names it decides what it tells.
    """
    if not _hides_names():
        return line
    from cxpath.slide import hide_names

    return hide_names(line, _files_named(sys.argv[1:]))


def _files_named(words: list[str]) -> dict[Path, str]:
    """Return the words of a command line that are files, and what they are."""
    words = list(dropwhile(_COMMANDS.__contains__, words))
    first = "the slide" if "score" in sys.argv[:3] else "the worklist"
    found, option = {}, ""
    for word in words:
        if not word.startswith("-"):
            name, value = option, word
        elif "=" in word:
            name, _, value = word.partition("=")
        else:
            option = "" if word in _FLAGS else word
            continue
        if name in _FILES or not name or (name not in _NO_FILES and _may_be_file(value)):
            found[Path(value)] = _FILES.get(name, first)
        option = ""
    return {path: shown for path, shown in found.items() if path != Path("small")}


def _may_be_file(word: str) -> bool:
    if os.sep in word or _SUFFIX.search(word):
        return True
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False


def _debugging() -> bool:
    return bool(os.environ.get("CXPATH_DEBUG"))


def _end_with(line: str, code: int) -> int:
    print(f"cxpath: {_hidden(line)}", file=sys.stderr)
    return code
