"""What makes a slide the same slide: its files and their digest, remembered between runs."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pydicom
from pydicom.filereader import read_partial

from cxpath.errors import ConfigurationError, UnreadableSlideError
from cxpath.slide.privacy import printable, user_folder

# The series a DICOM file belongs to: reads the file's header up to SeriesInstanceUID, and no pixels.


_INSTANCE = pydicom.tag.Tag(0x0008, 0x0018)
_SERIES = pydicom.tag.Tag(0x0020, 0x000E)


def series_instance_uid(path: Path) -> str | None:
    """Return the UID of the file's series, or None for a file that is no such DICOM file."""
    uids = _uids(path)
    return uids[0] if uids else None


def _uids(path: Path) -> tuple[str, str] | None:
    """Return SeriesInstanceUID and SOPInstanceUID (empty without one) of a DICOM file; None for others."""
    try:
        with path.open("rb") as file:
            head = read_partial(
                file, lambda tag, _vr, _length: tag > _SERIES, specific_tags=[_INSTANCE, _SERIES]
            )
            return str(head.SeriesInstanceUID), str(head.get("SOPInstanceUID", ""))
    except Exception:  # noqa: BLE001  # pydicom raises all kinds at damaged files; none of them is a slide
        return None


# Digests already computed, kept between runs so that gigabytes are hashed once.
#
# A small JSON file in the user's cache folder. Its keys are hashes: no path and no file name can be read
# from it. A cache that cannot be read or written is no error, only slower.


_SCHEMA = "cxpath/digests/1"
_MOST_ENTRIES = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def cache_path() -> Path:
    """Return where the cache lies: `$XDG_CACHE_HOME/cxpath/digests.json`, else under `~/.cache` (Linux).

    Raises
    ------
    ConfigurationError
        When there is none, since the user has no home folder.
    """
    hint = "set XDG_CACHE_HOME to a folder that can be written"
    return user_folder(platformdirs.user_cache_path, hint) / "digests.json"


def key_of(files: Sequence[Path]) -> str:
    """Return a hash of all that the system tells of the files without reading them.

    Size and modification time alone would not do: `cp -p`, `rsync -t` and a restored backup keep both.
    """
    facts = hashlib.sha256()
    for file in files:
        state = file.stat()
        times = f"{state.st_mtime_ns}\0{state.st_ctime_ns}"
        fact = f"{file.resolve()}\0{state.st_dev}\0{state.st_ino}\0{state.st_size}\0{times}\0"
        facts.update(fact.encode(errors="backslashreplace"))
    return facts.hexdigest()


def recall(key: str) -> str | None:
    """Return the digest kept under the key, if any."""
    return _entries().get(key)


def remember(key: str, digest: str) -> None:
    """Keep a digest; the oldest go when there are too many."""
    entries = {**_entries(), key: digest}
    kept = dict(list(entries.items())[-_MOST_ENTRIES:])
    try:
        _write(cache_path(), json.dumps({"schema": _SCHEMA, "digests": kept}))
    except (OSError, ConfigurationError) as error:
        _log.info("slide digests are not kept: %s", getattr(error, "strerror", None) or error)


def _entries() -> dict[str, str]:
    try:
        held = json.loads(cache_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    digests = held.get("digests") if isinstance(held, dict) and held.get("schema") == _SCHEMA else None
    if not isinstance(digests, dict):
        return {}
    return {key: digest for key, digest in digests.items() if _DIGEST.fullmatch(str(digest))}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


# Which files make up one slide: most formats are one file, some are a file and a folder or a series.


_MACRO_KEY = "macroimage"


def files_of(path: Path, vendor: str = "") -> tuple[Path, ...]:
    """Return the files that belong to a slide, sorted; the opened one is among them.

    Parameters
    ----------
    path : Path
        The file the slide is opened by.
    vendor : str
        OpenSlide's vendor name.
    """
    if vendor == "mirax":
        folder = path.with_suffix("")
        return (path, *sorted(file for file in folder.rglob("*") if file.is_file()))
    if vendor == "dicom":
        return _series_of(path)
    if vendor == "hamamatsu" and path.suffix.lower() in {".vms", ".vmu"}:
        return (path, *_named_in(path))
    return (path,)


def _series_of(path: Path) -> tuple[Path, ...]:
    uid = series_instance_uid(path)
    if uid is None:
        return (path,)
    siblings = (file for file in path.parent.iterdir() if file.is_file() and file != path)
    return tuple(sorted([path, *(file for file in siblings if series_instance_uid(file) == uid)]))


def refuse_contradicting_copies(path: Path, shown: str) -> None:
    """Refuse a DICOM series with two files of one SOPInstanceUID that differ: which is read would be chance.

    Raises
    ------
    UnreadableSlideError
    """
    by_instance: dict[str, list[Path]] = {}
    for file in _series_of(path):
        uids = _uids(file)
        if uids and uids[1]:
            by_instance.setdefault(uids[1], []).append(file)
    for copies in by_instance.values():
        if len(copies) > 1 and len({_file_digest(copy) for copy in copies}) > 1:
            names = "" if shown != str(path) else f" ({', '.join(file.name for file in copies)})"
            raise UnreadableSlideError(
                f"{shown}: {len(copies)} files of its series claim to be the same image but differ{names}",
                "keep the right one in the folder (equal SOPInstanceUID)",
            )


def _named_in(index: Path) -> tuple[Path, ...]:
    """Return the existing siblings that an index file of `key=value` lines names, less the macro picture."""
    pairs = (line.partition("=") for line in index.read_text("utf-8", "replace").splitlines())
    names = {value.strip() for key, _, value in pairs if not key.strip().lower().startswith(_MACRO_KEY)}
    found = (index.with_name(name) for name in names if name and "/" not in name and "\\" not in name)
    return tuple(sorted(file for file in found if file.is_file()))


# Identity of a slide: SHA-256 of all bytes that belong to it, computed once.
#
# Names do not enter the digest, so a renamed or pseudonymised copy of a slide keeps its identity.


def slide_digest(path: Path, vendor: str = "", *, shown: str = "") -> str:
    """Return the SHA-256 of a slide, hexadecimal.

    One file: the SHA-256 of its bytes. Several (MRXS, DICOM, VMS): the SHA-256 over the sorted SHA-256
    of each, one hexadecimal line a file; files of equal bytes count once.

    Parameters
    ----------
    path : Path
        The file the slide is opened by.
    vendor : str
        OpenSlide's vendor name, which says what else belongs to the slide.
    shown : str
        How messages name the slide; its path by default.

    Raises
    ------
    UnreadableSlideError
        When a file cannot be read to its end.
    """
    try:
        files = files_of(path, vendor)
        key = key_of(files)
        digest = recall(key)
        if digest is None:
            digest = _digest(files)
            remember(key, digest)
    except OSError as error:
        raise UnreadableSlideError(
            f"{shown or printable(str(path))}: cannot be read to its end: {error.strerror}",
            "check the disk or the network share",
        ) from error
    return digest


def _digest(files: Sequence[Path]) -> str:
    digests = sorted({_file_digest(file) for file in files})  # a copy next to its original changes nothing
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
