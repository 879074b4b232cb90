"""A slide's task in a batch, and when an earlier result still counts."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from cxpath.app import ScoreRequest
from cxpath.documents import COMMIT_MARK, Outcome
from cxpath.slide import files_of, open_slide, printable, pseudonym_key
from cxpath.version import __version__

# SlideTask: one slide of a batch, how to score it, and what the lab says of it.


@dataclass(frozen=True)
class SlideTask:
    """One slide of a batch.

    Parameters
    ----------
    id : str
        Its name in the batch, and that of its results folder.
    request : ScoreRequest
        How to score it; `out` is its results folder.
    facts : mapping of str to str
        Columns of the worklist that do not change the score: `case`, `block`, `scanner`, `batch`, `note…`.
    request_digest : str
        SHA-256 of all that decides the result besides the slide; empty: never the same as before.
    """

    id: str
    request: ScoreRequest
    facts: Mapping[str, str] = field(default_factory=dict)
    request_digest: str = ""

    @property
    def folder(self) -> Path:
        """Where its results go."""
        return self.request.folder

    @property
    def shown_name(self) -> str:
        """The slide's file name, or its pseudonym."""
        return printable(self.request.shown_name or self.request.slide.name)

    @property
    def named(self) -> str:
        """The slide as messages on the terminal name it: its path, unless a pseudonym hides that."""
        return self.shown_name if self.request.pseudonym else str(self.request.slide)

    def without_paths(self, text: str) -> str:
        """Return a message as results may contain it: the way to a file often tells a person's name.

        Files are called what they are to the slide. With a pseudonym the folders they lie in and their names
        alone go, too.
        """
        request = self.request
        shown = {
            request.slide: self.shown_name,
            request.out: self.id,
            request.regions: "the regions file",
            request.cells: "the cells file",
            request.class_map: "the class map",
        }
        files = {path: name for path, name in shown.items() if path is not None}
        for path, name in files.items():
            for form in _forms(path):
                text = text.replace(form, name)
        if request.pseudonym:
            text = _without_names(text, files)
        return text.encode(errors="backslashreplace").decode()


_FEWEST_LETTERS = 4
"""A shorter name without its suffix is also a word of the message: only the whole name is hidden."""


def _forms(path: Path) -> list[str]:
    """Return how a message may write a path, the longest first; `repr` doubles backslashes."""
    forms = {str(path), str(path.absolute()), os.path.realpath(path)}
    return sorted({*forms, *(repr(form)[1:-1] for form in forms)}, key=len, reverse=True)


def _without_names(text: str, files: Mapping[Path, str]) -> str:
    """Return a message without the folders and the names of these files."""
    folders = {folder for path in files for form in _forms(path) for folder in Path(form).parents}
    for folder in sorted(folders - {Path(), Path("/")}, key=lambda one: len(str(one)), reverse=True):
        text = text.replace(str(folder) if folder.is_absolute() else f"{folder}{os.sep}", "…")
    for path, shown in files.items():
        text = _without_word(text, path.name, shown)
        if len(path.stem) >= _FEWEST_LETTERS:
            text = _without_word(text, path.stem, shown)
    return text


def _without_word(text: str, word: str, shown: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _found: shown, text)


# What every engine does: take tasks, give events as they come. One worker or a cluster, the same.


@dataclass(frozen=True)
class Started:
    """A worker took a slide in hand."""

    id: str
    worker: str


@dataclass(frozen=True)
class Moved:
    """A worker has done some tiles of its slide."""

    worker: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """What came of a slide; it is on disk already. *Running* means that it will be tried again."""

    outcome: Outcome


Event = Started | Moved | Finished


class Engine(Protocol):
    """Scores slides somewhere."""

    @property
    def name(self) -> str:
        """What it is, such as "2 local workers"."""

    def run(self, tasks: Sequence[SlideTask]) -> Generator[Event, None, None]:
        """Attempt every task; yields what happens.

        Raises
        ------
        OutputError
            When results can no longer be kept.
        BatchError
            When the engine itself fails: no worker starts, the cluster is gone.
        """


# Whether a slide needs scoring: resume by content, not by names or dates alone.


_VENDORS = {".mrxs": "mirax", ".dcm": "dicom", ".vms": "hamamatsu", ".vmu": "hamamatsu"}


COUNTED_OTHERWISE = {
    "slide": "by its own digest, and by the name that results show",
    "model": "by the digest of its weights",
}
"""Fields of a `ScoreRequest` that enter its digest by something else than their value."""

NOT_IDENTITY = {
    "out": "the place of a result",
    "overwrite": "what happens to an earlier result",
    "device": "where it is computed",
}
"""Fields that do not change a result; every other field does, also those that are added later."""


def request_digest(request: ScoreRequest, model_digest: str) -> str:
    """Return the SHA-256 of all that decides a result besides the slide: model, settings, options, version.

    Files that the request names count by their content. Empty when one of them cannot be read: scoring will
    say so.
    """
    left_out = COUNTED_OTHERWISE.keys() | NOT_IDENTITY.keys()
    names = [one.name for one in fields(request) if one.name not in left_out]
    try:
        parts = {name: _identity_of(getattr(request, name)) for name in names}
    except OSError:
        return ""
    parts["assay"] = request.assay.lower()
    parts |= {"version": __version__, "model": model_digest}
    parts["name"] = request.shown_name or request.slide.name
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _identity_of(value: object) -> object:
    """Return what stands for one option in a digest: content for a file, all keys for settings."""
    if isinstance(value, Path):
        with value.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def accompanying_files(path: Path) -> tuple[Path, ...]:
    """Return the files that belong to a slide, by its suffix alone: nothing is opened but DICOM."""
    return files_of(path, _VENDORS.get(path.suffix.lower(), ""))


def slide_stamp(request: ScoreRequest) -> str:
    """Return a hash of what the file system says of the slide's files; empty when they cannot be seen.

    Size and time of writing alone would not do: `cp -p`, `rsync -t` and a restored backup keep both. With a
    pseudonym the hash is keyed, or names could be found again by trying them with the size and the time.
    """
    try:
        states = [(file.name, file.stat()) for file in accompanying_files(request.slide)]
    except OSError:
        return ""
    facts = "".join(
        f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}\0{state.st_ino}\n"
        for name, state in states
    ).encode(errors="surrogateescape")
    key = pseudonym_key() if request.pseudonym else b""
    return hmac.new(key, facts, hashlib.sha256).hexdigest()


def is_untouched(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say whether there is a result and nothing that decides it changed, by a look that opens no slide."""
    return (
        outcome is not None
        and _stands(task, outcome)
        and outcome.slide_stamp != ""
        and outcome.slide_stamp == slide_stamp(task.request)
    )


def is_same_content(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say the same of a slide whose file was copied or touched: reads it whole to compare its digest."""
    if outcome is None or not _stands(task, outcome):
        return False
    request = task.request
    try:
        with open_slide(request.slide, request.mpp, name=request.shown_name) as slide:
            return slide.info.digest == outcome.slide_digest
    except Exception:  # noqa: BLE001  # whatever it is, scoring it will say so
        return False


def _stands(task: SlideTask, outcome: Outcome) -> bool:
    same_request = task.request_digest != "" and outcome.request_digest == task.request_digest
    return same_request and outcome.is_final and (task.folder / COMMIT_MARK).is_file()
