"""`cxpath study init` and the planning of a reader study."""

from __future__ import annotations

import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import tomli_w

from cxpath.agreement import Components, ReaderStudyPlan, cases_for_power, power_of
from cxpath.app.cases import plain_name, results_by_name
from cxpath.app.study import STUDY, TOKENS, StudyFolder, read_study
from cxpath.data import counted
from cxpath.documents import ArmsTestEntry, StudyReportDocument, TokensDocument, read_run_folder
from cxpath.errors import ConfigurationError, MissingFileError, OutputError, StudyError
from cxpath.io import atomic_write, folder_for
from cxpath.review import new_token, token_hash
from cxpath.slide import SLIDE_SUFFIXES, series_instance_uid

# `cxpath study init`: a commented `study.toml` from slides and results, and one token a reader.


class DesignKind(StrEnum):
    """The designs that `init` writes; `study.toml` can be edited to others before the first read."""

    UNAIDED = "unaided"
    CROSSED = "crossed"
    SEQUENTIAL = "sequential"


_ROUNDS = {
    DesignKind.UNAIDED: (("unaided", "wash-out"),),
    DesignKind.CROSSED: (("unaided", "wash-out"), ("aided", "wash-out")),
    DesignKind.SEQUENTIAL: (("unaided", "wash-out"), ("aided", "same sitting")),
}


@dataclass(frozen=True)
class StudyRequest:
    """What a study is begun from.

    Parameters
    ----------
    name : str
    slides : Path
        Folder of slide files, searched below, too.
    results : tuple of Path
        Results of `cxpath score`: the software's scores for the aided round.
    readers : tuple of str
    kind : DesignKind
    cutoffs : tuple of float
    wash_out_days : float
    practice, anchors : int
        How many slides are for practice, and are read by all; the first ones by name.
    readers_per_slide : int
        0: all.
    seed : int or None
        Random where it is None.
    """

    name: str
    slides: Path
    results: tuple[Path, ...] = ()
    readers: tuple[str, ...] = ("reader1", "reader2", "reader3")
    kind: DesignKind = DesignKind.UNAIDED
    cutoffs: tuple[float, ...] = (1.0, 10.0)
    wash_out_days: float = 14.0
    practice: int = 0
    anchors: int = 0
    readers_per_slide: int = 0
    seed: int | None = None


@dataclass(frozen=True)
class BegunStudy:
    """A study as it was written, and the readers' tokens, which are stored nowhere."""

    study: StudyFolder
    tokens: Mapping[str, str]


def init_study(folder: Path, request: StudyRequest, *, overwrite: bool = False) -> BegunStudy:
    """Write `study.toml` and `tokens.json`.

    Raises
    ------
    OutputError
        When a study is there already, or nothing can be written; a study that has reads is never replaced.
    MissingFileError, StudyError, ConfigurationError
        When there are no slides, a slide has no result for the aided round, or a name is not allowed.
    """
    path = folder / STUDY
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already", "pass --overwrite or choose another folder")
    if any(folder.glob("readers/*/events.ndjson")):
        raise OutputError(f"{folder}: readers have begun this study", "begin another in a new folder")
    slides = _slides_below(request.slides)
    software, assay = _software(request, slides)
    text = _toml(request, list(_slide_entries(folder, request, slides, software)), assay)
    folder_for(folder)
    earlier = path.read_text(encoding="utf-8") if path.exists() else None
    _write_study(path, text)
    try:
        study = read_study(folder)
    except ConfigurationError:
        if earlier is None:
            path.unlink()
        else:
            _write_study(path, earlier)
        raise
    tokens = {reader.id: new_token() for reader in study.design.readers}
    TokensDocument(tokens={name: token_hash(token) for name, token in tokens.items()}).write(folder / TOKENS)
    return BegunStudy(study, tokens)


def _write_study(path: Path, text: str) -> None:
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _slides_below(folder: Path) -> list[Path]:
    """Return the slide files of a folder, one of each DICOM series."""
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder", "name the folder of slides with --slides")
    seen: set[str] = set()
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.casefold() not in SLIDE_SUFFIXES or not path.is_file():
            continue
        series = series_instance_uid(path) if path.suffix.casefold() == ".dcm" else None
        if series in seen:
            continue
        if series:
            seen.add(series)
        found.append(path)
    if not found:
        raise StudyError(f"{folder}: contains no slide", f"slides end in {', '.join(sorted(SLIDE_SUFFIXES))}")
    return found


def _software(request: StudyRequest, slides: Sequence[Path]) -> tuple[dict[Path, float | str], str]:
    """Return the score of each slide that has a result, and the assay that the results state."""
    if not request.results:
        if request.kind is not DesignKind.UNAIDED:
            raise StudyError(f"a {request.kind} study shows the software's scores", "name --results")
        return {}, ""
    folders = results_by_name(request.results)
    found: dict[Path, float | str] = {}
    assays: set[str] = set()
    for slide in slides:
        if (folder := folders.get(plain_name(slide.name))) is None:
            if request.kind is not DesignKind.UNAIDED:
                raise StudyError(f"{slide}: has no result", "score it first, or take it out of the folder")
            continue
        score = read_run_folder(folder).score
        assays.add(score.assay)
        found[slide] = round(score.cps.value, 4) if score.evaluable and score.cps else "not evaluable"
    if len(assays) > 1:
        raise StudyError(
            f"the results are of several assays: {', '.join(sorted(assays))}", "study one of them"
        )
    return found, "".join(assays - {"unknown"})


def _slide_entries(
    folder: Path, request: StudyRequest, slides: Sequence[Path], software: Mapping[Path, float | str]
) -> Iterator[dict[str, object]]:
    if request.practice + request.anchors > len(slides) or request.practice >= len(slides):
        few = f"{counted(len(slides), 'slide')} {'is' if len(slides) == 1 else 'are'} too few"
        asked = (
            f"{counted(request.practice, 'practice slide')} and {counted(request.anchors, 'anchor slide')}"
        )
        raise StudyError(f"{few} for {asked}", "ask for fewer, or add slides")
    for number, slide in enumerate(slides):
        relative = os.path.relpath(slide.resolve(), folder.resolve())
        entry: dict[str, object] = {"id": _slide_id(slide), "file": Path(relative).as_posix()}
        if number < request.practice:
            entry["practice"] = True
        elif number < request.practice + request.anchors:
            entry["anchor"] = True
        if slide in software:
            entry["software"] = software[slide]
        yield entry


def _slide_id(slide: Path) -> str:
    """Return the file's name without its ending, letters that exports could stumble over replaced."""
    return re.sub(r"[^A-Za-z0-9 ._-]", "_", slide.stem).lstrip(" ._-")[:80] or "slide"


# The file itself: every key with what it means.


_TEMPLATE = """\
# A reader study of cxpath. For Research Use Only.
# Edit this file before the first read; afterwards any change of meaning is refused (comments may change).
# Keep it from the readers: it names the slides, what the software says, and the seed of all orders.

name = {name}
# Order, shares of slides and blinded names follow from it: docs, how-to "Run a reader study".
seed = {seed}

# What is read. "largest" is the largest value that can be answered.
score = "CPS"
largest = 100.0
assay = {assay}
cutoffs = {cutoffs}

# Days between a reader's last read of one round and the first of the next; enforced.
wash_out_days = {wash_out_days}
# Readers of each slide that is no anchor; 0: all readers read all slides.
readers_per_slide = {readers_per_slide}

# What a reader must answer about every slide; a comment may be left, but is never forced.
[questions]
adequacy = true      # can the slide be scored? if not, no score is asked
sides = true         # does the score reach each cut-off? must agree with the score
confidence = true    # from 1 (guess) to 5 (certain)
comment = true

# Rounds, in order. arm: "unaided", or "aided", which shows the software's score with the slide.
# start: "wash-out", or "same sitting": each slide again, right after its read of the round before.
{rounds}
# Readers, by pseudonyms. "sequence = [2, 1]" gives a reader the rounds in another order (crossed designs).
{readers}
# Slides. id: name in exports. file: from this folder. case, patient: where several slides belong together.
# anchor = true: read by all readers. practice = true: read first, never exported.
# software: score to show in aided rounds, or "not evaluable". reference: the right score, never shown.
{slides}"""


def _toml(request: StudyRequest, slides: Sequence[Mapping[str, object]], assay: str) -> str:
    rounds = [{"arm": arm, "start": start} for arm, start in _ROUNDS[request.kind]]
    return _TEMPLATE.format(
        name=_value(request.name),
        seed=secrets.randbits(62) if request.seed is None else request.seed,
        assay=_value(assay),
        cutoffs=_value(list(request.cutoffs)),
        wash_out_days=_value(float(request.wash_out_days)),
        readers_per_slide=request.readers_per_slide,
        rounds=_tables("rounds", rounds),
        readers=_tables("readers", [{"id": reader} for reader in request.readers]),
        slides=_tables("slides", slides),
    )


def _value(value: object) -> str:
    """Return a value as TOML writes it, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return tomli_w.dumps({"x": value}).partition("=")[2].strip()


def _tables(name: str, rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(f"[[{name}]]\n{tomli_w.dumps(row)}\n" for row in rows)


# How many readers and cases a study of two arms needs, from a pilot study or from stated components.

DEFAULT_FIGURE = "share of reads on the right side"
_NAMES = tuple(one.name for one in fields(Components))
_HINT = "error=0.0008,cov1=0.00035,cov2=0.00034,cov3=0.00024,arm_reader=0.0002,cases=114"


@dataclass(frozen=True)
class PlannedReaders:
    """Cases that so many readers need; None where no number of cases is enough.

    Parameters
    ----------
    readers : int
    cases : int or None
    power : float
        That is reached with them.
    """

    readers: int
    cases: int | None
    power: float


def plan_readers(plan: ReaderStudyPlan, readers: int, power: float) -> list[PlannedReaders]:
    """Return the cases for a number of readers, and for some fewer and more.

    Raises
    ------
    ConfigurationError
        When something is out of range.
    """
    numbers = sorted({max(2, readers - 2), max(2, readers - 1), readers, readers + 2, readers + 5})
    found = []
    for number in numbers:
        cases = cases_for_power(plan, number, power)
        reached = power_of(plan, number, cases) if cases else 0.0
        found.append(PlannedReaders(number, cases, reached))
    return found


def pilot_components(path: Path, figure: str = DEFAULT_FIGURE, cutoff: str = "") -> Components:
    """Return the variance components of a pilot study.

    Parameters
    ----------
    path : Path
        `study.json` of `cxpath study report`.
    figure : str
        Which figure of merit.
    cutoff : str
        "1" or "≥ 1"; may be empty where the study has one only.

    Raises
    ------
    MissingFileError, DocumentError
        When it is no such document.
    ConfigurationError
        When it has no such test.
    """
    tests = [one for one in StudyReportDocument.read(path).tests if one.components is not None]
    wanted = cutoff.removeprefix("≥").strip()
    fitting = [one for one in tests if one.figure == figure and wanted in {"", _number(one)}]
    if len(fitting) != 1 or fitting[0].components is None:
        known = "; ".join(f"{one.figure} at {one.cutoff}" for one in tests) or "none"
        raise ConfigurationError(
            f"{path}: {len(fitting)} tests of {figure!r}{f' at {wanted}' if wanted else ''}",
            f"choose with --figure-of-merit and --cutoff; the study has: {known}",
        )
    return Components(**fitting[0].components.model_dump())


def _number(one: ArmsTestEntry) -> str:
    return one.cutoff.removeprefix("≥").strip()


def stated_components(text: str) -> Components:
    """Return components stated as "error=…,cov1=…,cov2=…,cov3=…,arm_reader=…,cases=…".

    Raises
    ------
    ConfigurationError
        When one is missing, stands twice, or is not a number.
    """
    stated: dict[str, float] = {"reader": 0.0}
    for part in text.split(","):
        name, _, value = (one.strip() for one in part.partition("="))
        if name not in _NAMES or (name in stated and name != "reader"):
            raise ConfigurationError(f"{part.strip()!r} is not a component, or occurs twice", f"as {_HINT}")
        try:
            stated[name] = float(value)
        except ValueError as error:
            raise ConfigurationError(f"{part.strip()!r} states no number", f"as {_HINT}") from error
        if not math.isfinite(stated[name]):
            raise ConfigurationError(f"{part.strip()!r} states no finite number", f"as {_HINT}")
    missing = [name for name in _NAMES if name not in stated]
    if missing:
        raise ConfigurationError(f"components: {_listed(missing)} missing", f"as {_HINT}")
    cases = stated.pop("cases")
    if cases != int(cases) or cases < 2 or stated["error"] <= 0:
        raise ConfigurationError("cases must be a whole number from 2, and error above 0", f"as {_HINT}")
    return Components(**stated, cases=int(cases))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
