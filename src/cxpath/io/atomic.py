"""Write a file as a whole or not at all, and read a file's content with a bound."""

from __future__ import annotations

import glob
import gzip
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cxpath.errors import CxpathError, MissingFileError, OutputError

# The bytes of a small file from elsewhere, unpacked when gzipped, or one line saying why not.


MOST_BYTES = 4 * 1024**3
"""More is not read into memory, packed or not."""

_MOST_RATIO = 150
"""By how much a file may grow when unpacked: tables and GeoJSON five- to thirtyfold, gzip can 1,000."""

_UNSUSPICIOUS_BYTES = 64 * 1024**2
"""As much may be unpacked from the smallest file."""

_CHUNK_BYTES = 4 * 1024**2


def read_content(path: Path, complaint: type[CxpathError], hint: str) -> bytes:
    """Return what is in a file.

    Parameters
    ----------
    path : Path
    complaint : type
        The error to raise when there is nothing to read.
    hint : str
        What to do then.

    Raises
    ------
    MissingFileError
        When there is no such file.
    """
    try:
        _require_file(path)
        with path.open("rb") as file:
            content = _content(file, path.stat().st_size)
    except MissingFileError:
        raise
    except _TooLargeError as error:
        raise complaint(f"{path}: {error}", "split it, or leave out what is not needed") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise complaint(f"{path}: cannot be read: {reason}", hint) from error
    if not content.strip():
        raise complaint(f"{path}: the file is empty", hint)
    return content


def text_lines(content: bytes) -> list[str]:
    r"""Return the lines of a text in UTF-8, or UTF-16 with byte order mark, split at \n, \r\n and \r only.

    `str.splitlines` splits at form feeds and U+2028, too, which may stand inside an entry.
    """
    is_utf_16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}  # "Unicode text" of a spreadsheet
    text = content.decode("utf-16" if is_utf_16 else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")


class _TooLargeError(Exception):
    """More than may be read into memory."""


def _content(file: BinaryIO, size: int) -> bytes:
    if size > MOST_BYTES:
        raise _TooLargeError(f"too large to read: {size / 1024**3:.1f} GB")
    packed = is_gzipped(file.read(2))
    file.seek(0)
    return _unpacked(file, size) if packed else file.read()


def _unpacked(file: BinaryIO, size: int) -> bytes:
    """Unpack in parts, and stop when they are more than any honest file of this size contains."""
    most = min(MOST_BYTES, max(_UNSUSPICIOUS_BYTES, _MOST_RATIO * size))
    content = bytearray()
    with gzip.open(file) as unpacking:
        while chunk := unpacking.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > most:
                raise _TooLargeError(f"unpacks to more than {most / 1024**2:.0f} MB, from {size} bytes")
    return bytes(content)


def is_gzipped(start: bytes) -> bool:
    """Say whether these first bytes are those of a gzip file."""
    return start[:2] == b"\x1f\x8b"


def first_character(content: bytes) -> str:
    """Return the first character that is no blank, whatever of UTF-8 and UTF-16 the text is in."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return content[:512].decode(encoding, errors="ignore").lstrip()[:1]


# Files that appear whole or not at all: written under a temporary name, then renamed.
#
# What a killed run left under such a name is known by it, and cleared by the next run of the same name.


if sys.platform != "win32":
    import fcntl

_RETRY_S = 0.01

_LONGEST_NAME_BYTES = 255
"""Of a file name, on all file systems in use."""

_ADDED = len("..01234567.partial")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path` to write to; rename it when the block ends well.

    Parameters
    ----------
    path : Path
        The final name; its folder must exist. An earlier file of that name is replaced.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    partial = partial_path(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return a temporary name, another at every call, that stands for `path` while it is written.

    A process number would not do: threads share it, and machines that write to one disk may.
    """
    return path.parent / f".{_with_room(path.name)}.{secrets.token_hex(4)}.partial"


def leftovers_of(folder: Path) -> list[Path]:
    """Return what lies under temporary names of a results folder, next to it and inside."""
    pattern = f".{glob.escape(_with_room(folder.name))}.????????.partial"
    return [partial for home in (folder.parent, folder) for partial in home.glob(pattern)]


def clear_leftovers(folder: Path) -> None:
    """Remove what killed runs left half-written of a results folder; a run that lives keeps its own.

    Where the system cannot tell the two apart (Windows, some network shares), nothing is removed.
    """
    for partial in leftovers_of(folder):
        with claimed(partial) as abandoned:
            if abandoned:
                shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Hold a folder while the block runs, also against a death of this process.

    Yields
    ------
    bool
        False where another process holds it, or the system cannot say.
    """
    number = _locked(folder)
    try:
        yield number is not None
    finally:
        if number is not None:
            os.close(number)


@contextmanager
def claimed_in_time(folder: Path, seconds: float = 10.0) -> Iterator[bool]:
    """Hold a folder as `claimed` does, after waiting for whoever contains it; False where that took too long.

    Where the system cannot lock, nobody is waited for.
    """
    end = time.monotonic() + seconds
    number = _locked(folder)
    while number is None and sys.platform != "win32" and time.monotonic() < end:
        time.sleep(_RETRY_S)
        number = _locked(folder)
    try:
        yield number is not None
    finally:
        if number is not None:
            os.close(number)


def append_durably(path: Path, content: bytes) -> None:
    """Append to a file, made where there is none, so that neither a death nor a power cut loses it.

    Raises
    ------
    OutputError
        When the operating system refuses; the file is then as it was.
    """
    try:
        with path.open("ab") as file:
            size = file.tell()
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        if size == 0:
            _sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make the entry of a new file durable, too; not every system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def output_error(path: Path, error: OSError) -> OutputError:
    """Say in one line that `path` could not be written."""
    if isinstance(error, OutputError):
        return error
    return OutputError(
        f"{path}: cannot be written: {error.strerror or error}",
        "check that the folder exists, is writable and has space left",
    )


def _locked(folder: Path) -> int | None:
    """Return the number of the open and locked folder; the lock ends with the process."""
    if sys.platform == "win32":
        return None
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with suppress(OSError):
            os.close(number)
        return None
    return number


def _with_room(name: str) -> str:
    """Return a name so short that a temporary name can be made of it; long ones stay distinguished."""
    encoded = os.fsencode(name)
    room = _LONGEST_NAME_BYTES - _ADDED
    if len(encoded) <= room:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return encoded[: room - len(digest) - 1].decode(errors="ignore") + f"~{digest}"


def folder_for(path: Path) -> Path:
    """Make a folder for results, parents included, and return it.

    Raises
    ------
    OutputError
        When it cannot be made, or a file of that name is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    return path


def write_json(path: Path, document: object) -> None:
    """Write JSON of another program's form, whole or not at all; NaN would be no JSON and is refused."""
    with atomic_write(path) as partial:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        # a path whose bytes are not UTF-8 is escaped, which is valid JSON
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
