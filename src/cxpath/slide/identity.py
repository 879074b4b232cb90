"""What makes a slide the same slide, and what of it may leave: digest, pseudonym, allowed properties."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import platformdirs

from cxpath.errors import ConfigurationError, UnreadableSlideError

# Its files and their digest, remembered between runs.


# The series a DICOM file belongs to: reads the file's header up to SeriesInstanceUID, and no pixels.


_INSTANCE = 0x0008_0018
_SERIES = 0x0020_000E
_PREAMBLE = 128


def series_instance_uid(path: Path) -> str | None:
    """Return the UID of the file's series, or None for a file that is no such DICOM file."""
    uids = _uids(path)
    return uids[0] if uids else None


def _uids(path: Path) -> tuple[str, str] | None:
    """Return SeriesInstanceUID and SOPInstanceUID (empty without one) of a DICOM file; None for others."""
    try:
        with path.open("rb") as file:
            if file.read(_PREAMBLE + 4)[_PREAMBLE:] != b"DICM":
                return None
            # Takes a third of a second to import, which slides of other formats need not wait for.
            from pydicom.filereader import read_partial  # noqa: PLC0415
            from pydicom.tag import Tag  # noqa: PLC0415

            series, instance = Tag(_SERIES), Tag(_INSTANCE)
            file.seek(0)
            head = read_partial(
                file, lambda tag, _vr, _length: tag > series, specific_tags=[instance, series]
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
    digest = _entries().get(key)
    return digest if _DIGEST.fullmatch(str(digest)) else None


def remember(key: str, digest: str) -> None:
    """Keep a digest; the oldest go when there are too many."""
    entries = {**_entries(), key: digest}
    kept = dict(list(entries.items())[-_MOST_ENTRIES:])
    try:
        _write(cache_path(), json.dumps({"schema": _SCHEMA, "digests": kept}))
    except (OSError, ConfigurationError) as error:
        _log.info("slide digests are not stored: %s", getattr(error, "strerror", None) or error)


def _entries() -> dict[str, str]:
    try:
        held = json.loads(cache_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    digests = held.get("digests") if isinstance(held, dict) and held.get("schema") == _SCHEMA else None
    return digests if isinstance(digests, dict) else {}


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


# What may leave: pseudonyms, allowed properties, and errors in one line without names of files.


# Names of files and messages of other libraries, made fit to stand inside our messages.


_LONGEST = 160
_SHORTEST_NAME = 3
"""Shorter ones are part of other words."""

_FEWEST_LETTERS = 4
"""A shorter name without its suffix is also a word of the message: only the whole name is hidden."""

_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, lone surrogates, ends of line and paragraph."""

_UNSAID = {
    AssertionError: "its parts contradict each other",
    MemoryError: "it needs more memory than is available",
}
"""What errors mean that mostly come without a message."""


def one_line(error: Exception, path: Path) -> str:
    """Return a library's message on one short line, without the names of files that it may repeat."""
    said = " ".join(_without_names(str(error), path).split())
    text = printable(said) or _UNSAID.get(type(error), type(error).__name__)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _without_names(message: str, path: Path) -> str:
    """Leave out the file and those next to it: a name is what a pseudonym hides."""
    message = message.replace(str(path), "the file")
    for folder in {path.parent, path.parent.absolute(), path.parent.resolve()}:
        if folder.name:  # up to where the message continues
            message = re.sub(rf"{re.escape(str(folder))}[/\\\\][^:\"'\n]*", "the file", message)
    for name in (path.name, path.stem):
        if len(name) >= _SHORTEST_NAME:
            message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "the file", message)
    return message


def printable(name: str) -> str:
    """Return a name that can be written as UTF-8 on one line.

    Bytes that are no UTF-8 (Python keeps them as lone surrogates) and control characters become U+FFFD.
    """
    return "".join("\ufffd" if unicodedata.category(one) in _UNPRINTABLE else one for one in name)


def forms_of_path(path: Path) -> list[str]:
    """Return how a message may write a path, the longest first; `repr` doubles backslashes."""
    forms = {str(path), str(path.absolute()), os.path.realpath(path)}
    return sorted({*forms, *(repr(form)[1:-1] for form in forms)}, key=len, reverse=True)


def hide_names(text: str, files: Mapping[Path, str]) -> str:
    """Return a message without these files: whole paths, the folders they lie in, and their names alone.

    Parameters
    ----------
    text : str
    files : mapping of Path to str
        What to call each of them.
    """
    forms = [(form, shown) for path, shown in files.items() for form in forms_of_path(path)]
    for form, shown in sorted(forms, key=lambda one: len(one[0]), reverse=True):
        text = _without_word(text, form, shown) if os.sep not in form else text.replace(form, shown)
    folders = {folder for form, _ in forms for folder in Path(form).parents}
    for folder in sorted(folders - {Path(), Path("/")}, key=lambda one: len(str(one)), reverse=True):
        text = text.replace(str(folder) if folder.is_absolute() else f"{folder}{os.sep}", "…")
    for path, shown in files.items():
        text = _without_word(text, path.name, shown)
        if len(path.stem) >= _FEWEST_LETTERS:
            text = _without_word(text, path.stem, shown)
    return text


def _without_word(text: str, word: str, shown: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _found: shown, text) if word else text


def shown_as(path: Path, name: str | None) -> str:
    """Return how messages name a file: as the user did, unless another name was asked for."""
    return printable(name or str(path))


# Pseudonyms of slide names: a keyed hash, the same for the same name and key, and no way back without it.


KEY_VARIABLE = "CXPATH_PSEUDONYM_KEY"
_SHORTEST_KEY = 16


def pseudonym(name: str, key: bytes) -> str:
    """Return "slide-" and twelve hexadecimal characters of HMAC-SHA256 (RFC 2104) of the name."""
    digest = hmac.new(key, name.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
    return f"slide-{digest[:12]}"


def pseudonym_key() -> bytes:
    """Return the key from `CXPATH_PSEUDONYM_KEY`, else from a key file made once (mode 0600).

    Raises
    ------
    ConfigurationError
        When the key is shorter than 16 characters, or no key file can be made or read.
    """
    given = os.environ.get(KEY_VARIABLE, "")
    if given:
        return _checked(given.encode(), KEY_VARIABLE)
    path = key_path()
    try:
        if not path.exists():
            _create(path)
        return _checked(path.read_bytes().strip(), "the pseudonym key file")
    except OSError as error:
        raise ConfigurationError(
            f"the pseudonym key file cannot be made or read: {error.strerror}",
            f"set {KEY_VARIABLE} to a secret of at least {_SHORTEST_KEY} characters",
        ) from error


def key_path() -> Path:
    """Return where the key file lies; raises `ConfigurationError` for a user without a home folder."""
    hint = f"set {KEY_VARIABLE} to a secret of at least {_SHORTEST_KEY} characters"
    return user_folder(platformdirs.user_config_path, hint) / "pseudonym.key"


def user_folder(of_kind: Callable[..., Path], hint: str) -> Path:
    """Return cxpath's folder of a kind in the user's account, wherever this system keeps such folders.

    Parameters
    ----------
    of_kind : callable
        `user_cache_path` or `user_config_path` of platformdirs.
    hint : str
        What a user without a home folder can do.

    Raises
    ------
    ConfigurationError
        When there is no home folder, as for an arbitrary user number in a container.
    """
    try:
        folder = of_kind("cxpath", appauthor=False)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise ConfigurationError("this user has no home folder", hint)
    return folder


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # fails where another process was first: its key then counts
    except FileExistsError:
        return
    except OSError:
        draft.replace(path)  # a file system without hard links


def _checked(key: bytes, source: str) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"{source} is shorter than {_SHORTEST_KEY} characters",
            "a short key can be guessed; use a long random one",
        )
    return key


# What may leave a slide file: an allow-list of technical properties, and nothing that identifies a patient.
#
# Label and macro images are never opened.


_NUMBER = re.compile(r"\d{1,6}(\.\d{1,20})?([eE][-+]?\d{1,3})?")
_WORDS = re.compile(r"[A-Za-z][\w .,/+()-]{0,39}")
_LONG_DIGITS = re.compile(r"\d{5}")
_YES_NO = re.compile(r"0[01]|YES|NO")

_ALLOWED: dict[str, re.Pattern[str]] = {
    "openslide.vendor": _WORDS,
    "openslide.objective-power": _NUMBER,
    "openslide.level-count": _NUMBER,
    "openslide.mpp-x": _NUMBER,
    "openslide.mpp-y": _NUMBER,
    "openslide.icc-size": _NUMBER,
    "aperio.AppMag": _NUMBER,
    "aperio.MPP": _NUMBER,
    "hamamatsu.SourceLens": _NUMBER,
    "leica.device-model": _WORDS,
    "leica.objective": _NUMBER,
    "leica.aperture": _NUMBER,
    "leica.illumination-source": _WORDS,
    "mirax.GENERAL.OBJECTIVE_MAGNIFICATION": _NUMBER,
    "philips.DICOM_MANUFACTURER": _WORDS,
    "philips.DICOM_LOSSY_IMAGE_COMPRESSION": _YES_NO,
    "ventana.Magnification": _NUMBER,
    "dicom.Manufacturer": _WORDS,
    "dicom.ManufacturerModelName": _WORDS,
    "dicom.LossyImageCompression": _YES_NO,
    "tiff.Make": _WORDS,
    "tiff.Model": _WORDS,
    "tiff.XResolution": _NUMBER,
    "tiff.YResolution": _NUMBER,
    "tiff.ResolutionUnit": _WORDS,
}
"""Property to the only form its value may have: free text in a technical field stays inside."""

_COMPRESSION = re.compile(r"\b(?:JPEG|J2K)(?:/[A-Za-z0-9]{2,12})?(?: Q=\d{1,3})?(?![\w/])")


def allowed_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that may leave, and `compression` as the scanner's description names it.

    Parameters
    ----------
    properties : mapping of str to str
        All properties of the file, as OpenSlide reports them.
    """
    allowed = {name: properties[name] for name in _ALLOWED if _may_leave(name, properties.get(name))}
    compression = _COMPRESSION.search(properties.get("tiff.ImageDescription", ""))
    return {**allowed, "compression": compression.group()} if compression else allowed


def allowed_words(text: str) -> str:
    """Return a short technical text if it may leave, else nothing."""
    # five digits in a row among words are a serial number, a date or a case number
    return text if _WORDS.fullmatch(text) and not _LONG_DIGITS.search(text) else ""


def _may_leave(name: str, value: str | None) -> bool:
    if value is None:
        return False
    form = _ALLOWED[name]
    return bool(allowed_words(value)) if form is _WORDS else bool(form.fullmatch(value))
