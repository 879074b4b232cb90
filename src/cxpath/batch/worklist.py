"""Worklists: folders and tables of slides, checked before anything is scored."""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cxpath.app import ScoreRequest
from cxpath.batch.foreign_worklists import (
    PROJECT_SUFFIX,
    ProjectImage,
    form_of_table,
    images_of_project,
    name_for_results,
    translated,
    unused_columns,
)
from cxpath.batch.task import STATE_NAME, SlideTask, StateFolder, request_digest
from cxpath.documents import Outcome, SavedWorklist, Status, WorklistEntry
from cxpath.errors import (
    BatchError,
    CxpathError,
    DocumentError,
    MissingFileError,
    ReadsFileError,
    WorklistError,
)
from cxpath.io import lookalike_key, lookalike_number, plain_rows
from cxpath.slide import SLIDE_SUFFIXES, open_slide, printable, series_instance_uid

# Looking at a whole worklist before anything starts: what contradicts itself, what will fail.


_THREADS = 8


@dataclass(frozen=True)
class Problem:
    """Something wrong with one slide of the worklist.

    Parameters
    ----------
    id : str
    reason, hint : str
    """

    id: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.hint})" if self.hint else self.reason


def contradictions(tasks: Sequence[SlideTask]) -> list[Problem]:
    """Return what keeps the batch from starting: names and slides that occur twice, impossible requests."""
    return [*_clashes(tasks), *_lookalikes(tasks), *_doubles(tasks), *_impossible(tasks)]


def unreadable(tasks: Sequence[SlideTask]) -> list[Problem]:
    """Return the slides that would fail now: missing, broken, without µm/px; opens each slide once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(_look, tasks)
        return [problem for problem in found if problem]


def _clashes(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    by_name: dict[str, list[SlideTask]] = defaultdict(list)
    for task in tasks:
        by_name[_folder_key(task.id)].append(task)
    for same in by_name.values():
        if len(same) > 1:
            slides = ", ".join(task.named for task in same[:3])
            reason = f"{same[0].id!r} would be the name of the results of {len(same)} slides: {slides}"
            hint = "list the slides in a table, with different entries in a column `id`"
            yield Problem(same[0].id, reason, hint)


def _lookalikes(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    """Yield names of slides or cases that a person could not tell apart: a case would fall into two."""
    named = [("id", task.id, task) for task in tasks]
    named += [("case", task.facts["case"], task) for task in tasks if "case" in task.facts]
    seen: dict[tuple[str, str], tuple[str, SlideTask]] = {}
    for what, name, task in named:
        key = lookalike_number(name) if what == "case" else lookalike_key(name)
        first, other = seen.setdefault((what, key), (name, task))
        if first != name and (what == "case" or _folder_key(first) != _folder_key(name)):
            names = f"{what} {first!a} ({other.named}) and {name!a} ({task.named})"
            reason = f"{names} differ only in case, spacing, invisible letters or zeros"
            yield Problem(
                task.id,
                reason,
                "write them in the same way if they are the same, or make the difference clear",
            )


def _folder_key(slide_id: str) -> str:
    """Return what some systems take for the same folder: A and a, and on macOS ü and u with a mark."""
    return unicodedata.normalize("NFC", slide_id).casefold()


def _doubles(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    by_slide: dict[str, list[SlideTask]] = defaultdict(list)
    for task in tasks:
        by_slide[_slide_key(task.request.slide)].append(task)
    for same in by_slide.values():
        if len(same) > 1 and len(
            {(task.request.regions, task.request.cells, task.request.marker) for task in same}
        ) < len(same):
            names = ", ".join(task.id for task in same)
            reason = f"{same[0].named}: occurs {len(same)} times ({names})"
            if len({task.request.slide.resolve().parent for task in same}) > 1:
                places = ", ".join(task.named for task in same[:3])
                reason = f"{same[0].named}: its DICOM series lies in several folders ({places})"
            yield Problem(same[0].id, reason, "list every slide once")


def _slide_key(path: Path) -> str:
    """Return what is the same for two names of one slide: its DICOM series, else its true path."""
    series = series_instance_uid(path) if path.suffix.lower() == ".dcm" else None
    return series or str(path.resolve())


def _impossible(tasks: Sequence[SlideTask]) -> Iterator[Problem]:
    for task in tasks:
        try:
            task.request.check()
        except CxpathError as error:
            yield Problem(task.id, f"{task.named}: {error.message}", error.hint)


def _look(task: SlideTask) -> Problem | None:
    found = _what_fails(task)
    if found and task.request.pseudonym:
        return Problem(task.id, task.without_paths(found.reason), task.without_paths(found.hint))
    return found


def _what_fails(task: SlideTask) -> Problem | None:
    request = task.request
    for file in (request.regions, request.cells, request.profile, request.class_map):
        if file and not file.is_file():
            return Problem(task.id, f"{file}: no such file", "check the path")
    try:
        open_slide(request.slide, request.mpp, name=request.shown_name).close()
    except CxpathError as error:
        return Problem(task.id, error.message, error.hint)
    except Exception as error:  # noqa: BLE001  # a strange slide must not keep the others from being checked
        return Problem(task.id, f"{task.shown_name}: {type(error).__name__}: {error}")
    return None


# The worklist as a batch keeps it, so that tables can be rebuilt from the folder alone.


_HINT = "give the --out folder of cxpath batch run"


def save_worklist(state: StateFolder, tasks: Sequence[SlideTask]) -> None:
    """Keep what the tables need of the worklist; no path of a slide, which may tell a patient's name."""
    entries = tuple(
        WorklistEntry(
            id=task.id,
            slide=task.shown_name,
            assay=task.request.assay,
            tumour=task.request.tumour,
            marker=task.request.marker,
            facts=dict(task.facts),
        )
        for task in tasks
    )
    SavedWorklist(slides=entries).write(state.folder / "worklist.json")


def read_batch(folder: Path) -> tuple[list[SlideTask], list[Outcome]]:
    """Return the slides of a batch and what became of each; only those that have an outcome.

    Raises
    ------
    MissingFileError
        When the folder is none, or contains no batch.
    BatchError
        When its worklist is damaged.
    """
    state, entries = StateFolder(folder), _entries(folder)
    known = {entry.id: state.read(entry.id) for entry in entries}
    settled = [(entry, outcome) for entry in entries if (outcome := known[entry.id]) and _ended(outcome)]
    return [_task(folder, entry) for entry, _ in settled], [outcome for _, outcome in settled]


def slides_in(folder: Path) -> int:
    """Return how many slides the worklist of a batch names; raises as `read_batch` does."""
    return len(_entries(folder))


def _entries(folder: Path) -> tuple[WorklistEntry, ...]:
    try:
        return SavedWorklist.read(StateFolder(folder).folder / "worklist.json").slides
    except MissingFileError as error:
        raise MissingFileError(f"{folder}: contains no batch", _HINT) from error
    except DocumentError as error:
        raise BatchError(error.message, error.hint) from error


def _ended(outcome: Outcome) -> bool:
    return outcome.status is not Status.RUNNING


def _task(folder: Path, entry: WorklistEntry) -> SlideTask:
    request = ScoreRequest(
        Path(entry.slide),
        folder.absolute() / entry.id,
        assay=entry.assay,
        tumour=entry.tumour,
        marker=entry.marker,
    )
    return SlideTask(entry.id, request, entry.facts)


# The worklist: which slides to score and how, from a folder, a pattern or a table.


TABLES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xlsm"})
SLIDES = SLIDE_SUFFIXES
"""What a folder is searched for. Pictures need an explicit pattern: folders contain all sorts."""

REQUEST_COLUMNS = ("assay", "tumour", "mpp", "regions", "cells", "marker")
FACT_COLUMNS = ("case", "block", "batch", "scanner")
NOTE = "note"
"""Columns whose name begins so are carried into the cohort table as they are."""

_LONGEST_ID = 255
"""Bytes of a name, on all file systems in use."""

_KEPT_NAMES = frozenset(
    {STATE_NAME, "batch.json", "cohort.csv", "cohort.parquet", "cohort.html", "results.db"}
)
"""What a batch writes next to the folders of its slides."""

_log = logging.getLogger(__name__)

_COLUMNS = ("slide", "id", *FACT_COLUMNS, *REQUEST_COLUMNS)


@dataclass(frozen=True)
class WorklistRow:
    """One row before it became a task.

    Parameters
    ----------
    place : str
        Where it stands, for messages: "row 7", or the slide's path.
    slide : Path
    values : mapping of str to str
        The other columns that are not empty.
    """

    place: str
    slide: Path
    values: Mapping[str, str]


def read_worklist(source: str, template: ScoreRequest, out: Path, model_digest: str) -> list[SlideTask]:
    """Read a worklist.

    Parameters
    ----------
    source : str
        A folder (searched below, too), a pattern such as `slides/**/*.svs`, a table (CSV, TSV, XLSX; also
        TRIDENT's and hs2p's), a QuPath project, or one slide.
    template : ScoreRequest
        How to score a slide whose row does not say otherwise.
    out : Path
        The batch's folder.
    model_digest : str
        Of the template's model: part of what makes a result the same.

    Returns
    -------
    list of SlideTask
        In the worklist's order; by path for a folder or pattern.

    Raises
    ------
    MissingFileError
        When there is no such folder or file.
    WorklistError
        When a table cannot be read, an entry makes no sense, or no slide is named.
    """
    path = Path(source)
    if path.suffix.lower() in TABLES and path.is_file():
        rows = _rows_of_table(path, hide_names=template.pseudonym)
    elif path.suffix.lower() == PROJECT_SUFFIX and path.is_file():
        images = images_of_project(path, hide_names=template.pseudonym)
        rows = [_row_of_image(image, hide_names=template.pseudonym) for image in images]
    elif path.is_dir():
        found = _slides_below(path, out, hide_names=template.pseudonym)
        rows = [WorklistRow(str(slide), slide, {}) for slide in found]
    elif path.is_file():
        rows = [WorklistRow(str(path), path, {})]
    elif glob.has_magic(source):
        rows = [
            WorklistRow(str(slide), slide, {})
            for slide in _one_of_each_series(_matching(source, hide_names=template.pseudonym))
            if not slide.is_dir()  # a broken link is a slide that fails by name
        ]
    else:
        raise MissingFileError(f"{source}: no such folder, worklist or slide", "check the path")
    if not rows and path.is_dir() and path.absolute().is_relative_to(out.absolute()):
        raise WorklistError(
            f"{source}: is in the folder of --out, where no slide is looked for", "name another"
        )
    if not rows:
        raise WorklistError(f"{source}: contains no slide", f"cxpath looks for {', '.join(sorted(SLIDES))}")
    return [_task_of_row(row, template, out, model_digest) for row in rows]


def _slides_below(folder: Path, out: Path, *, hide_names: bool) -> Iterator[Path]:
    for path in _one_of_each_series(files_below(folder, hide_names=hide_names)):
        ours = path.absolute().is_relative_to(out.absolute())
        no_file = path.exists() and not path.is_file()  # a broken link is a slide that fails by name
        if not (ours or no_file or path.suffix.lower() not in SLIDES):
            yield path


def _one_of_each_series(paths: Iterable[Path]) -> Iterator[Path]:
    """Leave out further DICOM files of a series in the same folder: together they are one slide."""
    seen: set[tuple[Path, str]] = set()
    for path in paths:
        series = series_instance_uid(path) if path.suffix.lower() == ".dcm" else None
        if series is None or (path.parent, series) not in seen:
            yield path
        if series is not None:
            seen.add((path.parent, series))


def files_below(folder: Path, *, hide_names: bool = False) -> list[Path]:
    """Return the files of a folder and the folders in it, sorted; hidden ones are left out.

    A folder that is reached twice, through a link, is searched once: where it lies, not where it is linked.
    What is left out is said, by name unless names are to be hidden.
    """
    found: list[Path] = []
    linked: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting or linked:
        place = waiting.pop() if waiting else linked.pop(0)
        try:
            inside = _inside(place, seen)
        except OSError as error:
            _log.warning("%s: is left out: %s", "a folder" if hide_names else place, error.strerror)
            continue
        if inside is None:
            _log.warning("%s: links to a folder that is searched already", "a link" if hide_names else place)
            continue
        for path in inside:
            if path.is_dir():
                (linked if path.is_symlink() else waiting).append(path)
            else:
                found.append(path)
    return sorted(found)


def _inside(folder: Path, seen: set[tuple[int, int]]) -> list[Path] | None:
    """Return what is in a folder, hidden entries left out; None when it was searched before."""
    state = folder.stat()
    number = (state.st_dev, state.st_ino)
    if number in seen:
        return None
    seen.add(number)
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _matching(pattern: str, *, hide_names: bool) -> list[Path]:
    """Return what matches a pattern; below `**`, linked folders are searched once, as in a folder."""
    if "**" not in pattern:
        return sorted(Path(name) for name in glob.glob(pattern))  # noqa: PTH207  # absolute, too
    parts = Path(pattern).parts
    plain = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:plain])
    if not root.is_dir():
        return []
    found = files_below(root, hide_names=hide_names)
    return [path for path in found if _matches(path.relative_to(root).parts, parts[plain:])]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Say whether the parts of a path match those of a pattern; `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[number:], pattern[1:]) for number in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _rows_of_table(path: Path, *, hide_names: bool) -> list[WorklistRow]:
    try:
        rows = plain_rows(path)
    except ReadsFileError as error:
        raise WorklistError(error.message, error.hint) from error
    if not rows:
        raise WorklistError(f"{path}: the table is empty", "give it a header row with a column `slide`")
    names = [name.strip().lower() for name in rows[0][1]]
    form = form_of_table(names)
    _check_columns(path, names, _COLUMNS if form is None else (*form.meaning, *_COLUMNS[1:]))
    for number, row in rows[1:]:
        if any(row[len(names) :]):
            raise WorklistError(
                f"{path}: row {number}: has {len(row)} entries under {len(names)} columns",
                "name every column, and put entries that contain the separator in quotes",
            )
    entries = [(number, dict(zip(names, row, strict=False))) for number, row in rows[1:]]
    if form is not None:
        for name in unused_columns(form, names):
            _log.warning("column %s is not used: cxpath finds the tissue itself", name)
        entries = [(number, translated(form, row, hide_names=hide_names)) for number, row in entries]
    return [_row(path, f"row {number}", row) for number, row in entries]


def _row_of_image(image: ProjectImage, *, hide_names: bool) -> WorklistRow:
    """Return the row of an image of a QuPath project; its name there names its results if it can."""
    name = name_for_results(image, SLIDES)
    row = WorklistRow(image.place, image.slide, {})
    try:
        _check_id(name, row)
    except WorklistError:
        return row
    return row if hide_names else replace(row, values={"id": name})


def _check_columns(path: Path, names: Sequence[str], known_names: Sequence[str]) -> None:
    unknown = [name for name in names if name and name not in known_names and not name.startswith(NOTE)]
    twice = {name for name in names if name and names.count(name) > 1}
    known = f"known columns: {', '.join(dict.fromkeys(known_names))}; begin others with `{NOTE}`"
    if known_names[0] not in names:
        raise WorklistError(f"{path}: has no column `slide`", known)
    if unknown:
        raise WorklistError(f"{path}: column {unknown[0]!r} is unknown", known)
    if twice:
        raise WorklistError(f"{path}: column {min(twice)!r} occurs twice", "name every column once")


def _row(path: Path, place: str, entries: Mapping[str, str]) -> WorklistRow:
    slide = entries.get("slide", "")
    if not slide:
        raise WorklistError(f"{path}: {place}: states no slide", "state a slide in every row")
    values = {name: entry for name, entry in entries.items() if name and name != "slide" and entry}
    for column in ("regions", "cells"):
        if column in values:
            values[column] = str(path.parent / values[column])
    return WorklistRow(f"{path}: {place}", path.parent / slide, values)


def _task_of_row(row: WorklistRow, template: ScoreRequest, out: Path, model_digest: str) -> SlideTask:
    values = row.values
    request = replace(
        template,
        slide=row.slide,
        assay=values.get("assay", template.assay),
        tumour=values.get("tumour", template.tumour),
        marker=values.get("marker", template.marker).lower(),
        mpp=_mpp(row) if "mpp" in values else template.mpp,
        regions=Path(values["regions"]) if "regions" in values else template.regions,
        cells=Path(values["cells"]) if "cells" in values else template.cells,
    )
    slide_id = values.get("id") or request.shown_name or printable(row.slide.stem)
    _check_id(slide_id, row)
    facts = {name: entry for name, entry in values.items() if name in FACT_COLUMNS or name.startswith(NOTE)}
    request = replace(request, out=out.absolute() / slide_id)
    return SlideTask(slide_id, request, facts, request_digest(request, model_digest))


def _mpp(row: WorklistRow) -> float:
    entry = row.values["mpp"]
    try:
        return float(entry.replace(",", "."))
    except ValueError as error:
        raise WorklistError(
            f"{row.place}: mpp {entry!r} is not a number", "give micrometres per pixel, such as 0.25"
        ) from error


def _check_id(slide_id: str, row: WorklistRow) -> None:
    if slide_id.startswith(".") or any(letter in slide_id for letter in '/\\:*?"<>|\0\n\r\t'):
        raise WorklistError(
            f"{row.place}: {slide_id!r} cannot be the name of a folder", "give it another `id`"
        )
    if len(os.fsencode(slide_id)) > _LONGEST_ID:
        raise WorklistError(
            f"{row.place}: {slide_id[:40]!r}… is too long for the name of a folder",
            f"at most {_LONGEST_ID} bytes",
        )
    if slide_id.casefold() in _KEPT_NAMES:
        raise WorklistError(
            f"{row.place}: {slide_id!r} is reserved for a file of the batch itself", "give it another `id`"
        )
