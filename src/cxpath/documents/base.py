"""What all JSON documents of cxpath share, and the folder of results: whole or not at all, nothing guessed.

A document is a frozen class. A key that it does not know, a missing one or a wrong value is an error that
names file and field.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cxpath.data import RESEARCH_USE, ReasonCode, ResearchUse, number_too_large, refuse_pipe
from cxpath.errors import DocumentError, MissingFileError, OutputError
from cxpath.io import atomic_write, claimed, clear_leftovers, partial_path
from cxpath.scores import REVIEW, CutoffVerdict, Decision, ScoreEstimate


class Part(BaseModel):
    """A part of a document; numbers are finite, and what is not known is null."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        from_attributes=True,
        allow_inf_nan=False,
    )

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the part that states the attributes of a value under their own names."""
        return cls.model_validate(value)


class CodedText(Part):
    """A reason or a warning: what it is about, and the same for a person."""

    code: ReasonCode
    """What it is about, for programs."""
    text: str
    """The same for a person, on one line."""


class ColourEntry(Part):
    """The ICC profile of a slide; see `ColourProfile`."""

    description: str
    """The profile's name; empty where the name could reveal too much."""
    digest: str
    """SHA-256 of the profile."""
    intent: str
    """Its rendering intent."""
    use: Literal["applied", "identity", "ignored", "unusable"]
    """What was done with it: `applied`, `identity` (it is sRGB already), `ignored` (as asked for) or
    `unusable` (damaged, or not for RGB)."""


class File(Part):
    """What a JSON file contains; a field `schema_name` states the schema that it reads and writes."""

    HINT: ClassVar[str]
    """What to do about one that cannot be read."""

    @classmethod
    def schema_of(cls) -> str | None:
        """Return the schema of these files; None where they state none."""
        stated = cls.model_fields.get("schema_name")
        return str(stated.default) if stated else None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises
        ------
        MissingFileError
            When there is no such file.
        DocumentError
            When it is no JSON, of another schema, or does not say what such a file says.
        """
        try:
            refuse_pipe(path)
            text = path.read_text(encoding="utf-8")
            stated = json.loads(text)
        except FileNotFoundError as error:
            raise MissingFileError(f"{path}: no such file", cls.HINT) from error
        except OSError as error:
            raise DocumentError(f"{path}: cannot be read: {error.strerror or error}", cls.HINT) from error
        except (ValueError, RecursionError) as error:
            raise DocumentError(f"{path}: not readable JSON", cls.HINT) from error
        found, wanted = stated.get("schema") if isinstance(stated, dict) else None, cls.schema_of()
        if found != wanted:
            raise DocumentError(f"{path}: schema is {found!r}, not {wanted!r}", cls.HINT)
        if place := number_too_large(stated):
            raise DocumentError(f"{path}: {place}: the number is too large", cls.HINT)
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise DocumentError(f"{path}: {_complaint(error.errors()[0])}", cls.HINT) from error

    def write(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises
        ------
        OutputError
            When the operating system refuses.
        """
        with atomic_write(path) as partial:
            partial.write_text(self.text() + "\n", encoding="utf-8", newline="\n")

    def text(self) -> str:
        """Return the text as it is written, and as `--json` prints it."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


class Document(File):
    """A result that people read: it says what it is for."""

    schema_name: str = Field(default="", alias="schema")
    research_use: ResearchUse = RESEARCH_USE


def _complaint(detail: ErrorDetails) -> str:
    """Return which field is wrong, and how, on one line."""
    field = ".".join(str(part) for part in detail["loc"]) or "document"
    said = {"missing": "is missing", "extra_forbidden": "is not a key of this document"}
    return f"{field}: {said.get(detail['type'], ' '.join(detail['msg'].split()))}"


# A score with its intervals and its cut-offs, as every document of cxpath states it.

PixelSide = Annotated[int, Field(gt=0, lt=2**31)]
"""Width or height of a slide."""

MicrometresPerPixel = Annotated[float, Field(gt=0, le=1000)]

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower end of an interval is above its upper end")
    return bounds


Bounds = Annotated[tuple[Percent, Percent], AfterValidator(_rising)]
"""An interval of a score, which no score and no printed form can leave."""
CutoffName = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
"""A cut-off as it is written: "1", "10", "2.5"."""


class CutoffEntry(Part):
    """What is known of a score and one cut-off."""

    basis: str
    """Where the cut-off comes from: `label`, or what else it is."""
    decision: Decision
    """`met` or `not met` where the value and the whole interval for the tumour lie on one side of the
    cut-off; otherwise `uncertain`."""
    met: bool | None
    """True or false where the cut-off is decided, null where it is uncertain."""
    probability: Share
    """Probability that the tumour's score is at least the cut-off."""
    borderline: bool
    """Whether the tumour's score may lie on the other side of the cut-off than the value with a probability
    that asks for a pathologist (`scoring.borderline_tail`, `scoring.borderline_tail_beyond`)."""
    review: str | None
    """`near the cut-off: pathologist review` where borderline, otherwise null."""

    @classmethod
    def of_verdict(cls, verdict: CutoffVerdict) -> CutoffEntry:
        """Return the entry of a verdict."""
        return cls(
            basis=verdict.cutoff.basis,
            decision=verdict.decision,
            met=verdict.met,
            probability=verdict.probability,
            borderline=verdict.borderline,
            review=REVIEW if verdict.borderline else None,
        )


class Estimate(Part):
    """A score with its intervals and cut-offs; see `ScoreEstimate`."""

    value: Percent
    """The score, not rounded: for the CPS 100 × (T⁺ + I⁺) / (T⁺ + T⁻), at most 100; for the TPS 100 × T⁺ /
    (T⁺ + T⁻)."""
    interval_slide: Bounds
    """Interval for this slide's own score, given how errors of the network vary from slide to slide. It need
    not contain `value`: the network may be known to miss or to invent cells."""
    interval_tissue: Bounds
    """Interval for the tumour's score, of which the slide's fields are a sample. It decides the cut-offs."""
    level: Share
    """Coverage that both intervals aim at, 0.95 unless set otherwise."""
    method: str
    """How the intervals were computed."""
    reported: str
    """The printed form. It never crosses a cut-off: 0.96 is printed as `<1`, 9.96 as `9.9`."""
    cutoffs: Mapping[CutoffName, CutoffEntry] = {}
    """One entry for each cut-off, by its value, compared with the unrounded score; empty where the assay
    states none, and for the TPS."""

    @classmethod
    def of_score(cls, score: ScoreEstimate) -> Estimate:
        """Return the entry of a score."""
        decided = {f"{one.cutoff.value:g}": CutoffEntry.of_verdict(one) for one in score.cutoffs}
        return cls(
            value=score.value,
            interval_slide=score.interval_slide,
            interval_tissue=score.interval_tissue,
            level=score.level,
            method=score.method,
            reported=score.reported,
            cutoffs=decided,
        )

    @property
    def decided(self) -> tuple[tuple[float, CutoffEntry], ...]:
        """The cut-offs in rising order."""
        return tuple(sorted((float(name), entry) for name, entry in self.cutoffs.items()))

    @property
    def uncertain(self) -> tuple[float, ...]:
        """The cut-offs that are uncertain, in rising order."""
        return tuple(cutoff for cutoff, entry in self.decided if entry.decision is Decision.UNCERTAIN)

    @property
    def borderline(self) -> tuple[float, ...]:
        """The cut-offs that ask for a pathologist, in rising order."""
        return tuple(cutoff for cutoff, entry in self.decided if entry.borderline)


# A results folder that appears whole or not at all.


COMMIT_MARK = "score.json"
RUN_NAME = "run.json"
OWN_NAMES = (
    "cells.parquet",
    "tiles.parquet",
    "cells.geojson.gz",
    "tissue.png",
    "heatmap.png",
    "fields",
    RUN_NAME,
    "report.html",
    COMMIT_MARK,
)
"""Everything a run may leave, the mark of a whole result last; all else in the folder is the user's."""


class ResultsFolder:
    """Files are written to a hidden folder first; `commit` moves them to the final one.

    The hidden folder lies next to the final one, or inside where that exists: it may be a mounted volume.

    Parameters
    ----------
    final : Path
        Where the results go.
    overwrite : bool
        Replace an earlier result; files of other names stay.

    Raises
    ------
    OutputError
        When a result is already there, or the place cannot be written.
    """

    def __init__(self, final: Path, *, overwrite: bool) -> None:
        self.final = final.absolute()
        self._existed = self.final.is_dir()
        home = self.final if self._existed else self.final.parent
        self.partial = partial_path(home / self.final.name)
        self._claim = ExitStack()
        if final.exists() and not self._existed:
            raise OutputError(f"{final}: is a file, not a folder", "choose another --out")
        if (final / COMMIT_MARK).exists() and not overwrite:
            raise OutputError(
                f"{final}: contains a result already", "pass --overwrite or choose another --out"
            )
        if reviews := sorted(final.glob("review/*/events.ndjson")):
            raise OutputError(
                f"{final}: {reviews[0].parent.relative_to(final)} is a person's review of these cells, which "
                "scoring again would replace",
                "choose another --out, or move the folder review elsewhere to keep it",
            )

    def __enter__(self) -> Self:
        clear_leftovers(self.final)
        try:
            self.partial.mkdir(parents=True)
            self._claim.enter_context(claimed(self.partial))
        except OSError as error:
            self.__exit__(None, None, None)
            raise self._refused(error) from error
        except BaseException:  # Ctrl-C, too: nobody else knows of the folder yet
            self.__exit__(None, None, None)
            raise
        return self

    def commit(self) -> None:
        """Move the new files to their place; an earlier result is gone only when all of them are there."""
        try:
            if self._existed:
                self._exchange()
            else:
                self.partial.rename(self.final)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._claim.close()
        shutil.rmtree(self.partial, ignore_errors=True)

    def _exchange(self) -> None:
        earlier = self.partial / "earlier"
        earlier.mkdir()
        try:
            _move(self.final, earlier)
            _move(self.partial, self.final)
        except BaseException:
            _move(self.final, self.partial)
            _move(earlier, self.final)
            raise

    def _refused(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"{self.final}: cannot be written: {reason}", "choose another --out")


def _move(source: Path, target: Path) -> None:
    """Move what a run leaves from one folder to another, as far as it is there, `score.json` last."""
    for name in OWN_NAMES:
        if (source / name).exists():
            (source / name).rename(target / name)
