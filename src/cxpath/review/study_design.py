"""`study.toml`: the design of a reader study, and the seeded order in which each reader sees the slides.

Order, allocation and blinded names all come from SHA-256 of the study's seed and of names, so that anybody
with `study.toml` can repeat them without this program.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cxpath.data import Settings


class Arm(StrEnum):
    """How slides are read."""

    UNAIDED = "unaided"
    AIDED = "aided"


class Start(StrEnum):
    """When a round may begin."""

    WASH_OUT = "wash-out"
    SAME_SITTING = "same sitting"


NOT_EVALUABLE = "not evaluable"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$"


class StudySlide(Settings):
    """One slide; readers never see its id, its file name, or what the software and the reference say."""

    id: str = Field(pattern=_NAME)
    """Name of the slide in exports."""
    file: str = Field(min_length=1)
    """Path of the slide, relative to `study.toml`."""
    case: str = ""
    """Case in exports; the id where it is empty."""
    patient: str = ""
    """Slides of one patient are drawn together by the bootstrap."""
    anchor: bool = False
    """Read by all readers, however slides are shared out."""
    practice: bool = False
    """Read before the study begins; never exported."""
    software: float | Literal["not evaluable"] | None = None
    """What an aided reader is shown."""
    reference: float | None = Field(default=None, ge=0)
    """The right score, where there is one; never shown."""


class StudyReader(Settings):
    """One reader, by a pseudonym."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")
    sequence: tuple[int, ...] = ()
    """Rounds in this reader's own order, for crossed designs; as numbered where it is empty."""


class StudyRound(Settings):
    """One reading of the slides."""

    arm: Arm
    start: Start = Start.WASH_OUT
    """`same sitting`: each slide again, right after the read of the round before."""


class StudyQuestions(Settings):
    """What a reader must answer about every slide."""

    adequacy: bool = True
    """Whether the slide can be scored; if not, no score is asked."""
    sides: bool = True
    """Whether the score reaches each cut-off."""
    confidence: bool = True
    """From 1 (guess) to 5 (certain)."""
    comment: bool = True
    """A comment may be left; it is never forced."""


class StudyDesign(Settings):
    """A reader study."""

    name: str = Field(min_length=1, max_length=200)
    seed: int = Field(ge=0)
    """Keep it from the readers: it fixes order, allocation and blinded names."""
    score: str = Field(default="CPS", pattern=r"^[A-Za-z0-9 _-]{1,20}$")
    """What is read."""
    largest: float = Field(default=100.0, gt=0)
    """The largest score that can be answered."""
    assay: str = ""
    cutoffs: tuple[float, ...] = Field(default=(1.0, 10.0), min_length=1)
    """Rising; a score reaches a cut-off when it is at least that."""
    wash_out_days: float = Field(default=14.0, ge=0)
    """Between a reader's last read of one round and the first of the next."""
    readers_per_slide: int = Field(default=0, ge=0)
    """Readers of a slide that is no anchor; 0: all."""
    questions: StudyQuestions = StudyQuestions()
    rounds: tuple[StudyRound, ...] = Field(min_length=1)
    readers: tuple[StudyReader, ...] = Field(min_length=1)
    slides: tuple[StudySlide, ...] = Field(min_length=1)

    @field_validator("cutoffs")
    @classmethod
    def _rising(cls, cutoffs: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(cutoffs)) or cutoffs[0] <= 0:
            raise ValueError("cut-offs must rise from above 0")
        return cutoffs

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_doubles("slide", (slide.id for slide in self.slides))
        _refuse_doubles("reader", (reader.id for reader in self.readers))
        if all(slide.practice for slide in self.slides):
            raise ValueError("every slide is for practice: none is left to study")
        if self.readers_per_slide > len(self.readers):
            raise ValueError(f"readers_per_slide is {self.readers_per_slide}, of {len(self.readers)} readers")
        if self.rounds[0].start is Start.SAME_SITTING:
            raise ValueError("the first round has none before it in the same sitting")
        for reader in self.readers:
            self._require_sequence(reader)
        self._require_software()
        for slide in self.slides:
            self._require_in_range(slide)
        return self

    def _require_sequence(self, reader: StudyReader) -> None:
        if not reader.sequence:
            return
        if sorted(reader.sequence) != list(range(1, len(self.rounds) + 1)):
            raise ValueError(f"reader {reader.id}: sequence must name each round once")
        for number, one in enumerate(self.rounds, start=1):
            place = reader.sequence.index(number)
            if one.start is Start.SAME_SITTING and (place == 0 or reader.sequence[place - 1] != number - 1):
                raise ValueError(f"reader {reader.id}: round {number} must follow round {number - 1}")

    def _require_software(self) -> None:
        if not any(one.arm is Arm.AIDED for one in self.rounds):
            return
        without = [slide.id for slide in self.slides if slide.software is None and not slide.practice]
        if without:
            raise ValueError(f"slide {without[0]} has no software score to show in the aided round")

    def _require_in_range(self, slide: StudySlide) -> None:
        for name, value in (("software", slide.software), ("reference", slide.reference)):
            if isinstance(value, float) and not 0 <= value <= self.largest:
                raise ValueError(f"slide {slide.id}: {name} must lie between 0 and {self.largest:g}")

    @property
    def digest(self) -> str:
        """SHA-256 of the design: layout and comments of `study.toml` do not count."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def slide(self, slide_id: str) -> StudySlide:
        """Return the slide of an id."""
        return next(slide for slide in self.slides if slide.id == slide_id)

    def reader(self, reader_id: str) -> StudyReader:
        """Return the reader of an id."""
        return next(reader for reader in self.readers if reader.id == reader_id)

    def arm_of(self, round_number: int) -> Arm:
        """Return the arm of a round, counted from 1."""
        return self.rounds[round_number - 1].arm


def _refuse_doubles(what: str, names: Iterable[str]) -> None:
    """Refuse two names that differ at most in case or normal form."""
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFKC", name).casefold()
        if key in seen:
            raise ValueError(f"{what} {name!r} stands twice")
        seen[key] = name


# What each reader reads, and in which order.


@dataclass(frozen=True)
class Assignment:
    """One read that a reader is to make.

    Parameters
    ----------
    position : int
        In the reader's own order, from 1.
    round : int
    arm : Arm
    sitting : int
        From 1; between two sittings lies the wash-out.
    slide : str
        Id; never sent to a reader.
    code : str
        The name that the reader sees.
    practice : bool
    """

    position: int
    round: int
    arm: Arm
    sitting: int
    slide: str
    code: str
    practice: bool = False


def schedule(design: StudyDesign, reader_id: str) -> tuple[Assignment, ...]:
    """Return what a reader reads, in order.

    Within a sitting slides are sorted by SHA-256 of "seed/order/reader/round/slide". Practice slides come
    first, in the first sitting only. A round of the same sitting follows slide by slide.
    """
    own = set(_allocated(design, reader_id))
    found: list[Assignment] = []
    for sitting, rounds in enumerate(_sittings(design, reader_id), start=1):
        codes = _codes(design, reader_id, sitting)
        for practice in (True, False):
            slides = [one.id for one in design.slides if one.practice is practice and one.id in own]
            if practice and sitting > 1:
                continue
            own_order = partial(_key, design, "order", reader_id, str(rounds[0]))
            for slide in sorted(slides, key=own_order):
                for number in rounds:
                    if practice and _unshowable(design, slide, number):
                        continue
                    arm, position = design.arm_of(number), len(found) + 1
                    found.append(Assignment(position, number, arm, sitting, slide, codes[slide], practice))
    return tuple(found)


def _unshowable(design: StudyDesign, slide: str, number: int) -> bool:
    """Say whether an aided practice has nothing to show."""
    return design.arm_of(number) is Arm.AIDED and design.slide(slide).software is None


def _sittings(design: StudyDesign, reader_id: str) -> list[tuple[int, ...]]:
    """Return the rounds of each sitting, in the reader's order."""
    order = design.reader(reader_id).sequence or tuple(range(1, len(design.rounds) + 1))
    sittings: list[tuple[int, ...]] = []
    for number in order:
        if design.rounds[number - 1].start is Start.SAME_SITTING:
            sittings[-1] = (*sittings[-1], number)
        else:
            sittings.append((number,))
    return sittings


def _allocated(design: StudyDesign, reader_id: str) -> Iterator[str]:
    """Yield the slides of a reader: all, or anchors, practice and a balanced share of the others.

    Slides sorted by SHA-256 of "seed/allocation/slide" are dealt to readers sorted by that of
    "seed/allocation/reader", so many in turn as read each slide.
    """
    each = design.readers_per_slide or len(design.readers)
    readers = sorted((one.id for one in design.readers), key=lambda one: _key(design, "allocation", one))
    place = readers.index(reader_id)
    shared = [one.id for one in design.slides if not one.anchor and not one.practice]
    dealt = sorted(shared, key=lambda one: _key(design, "allocation", one))
    for number, slide in enumerate(dealt):
        if (place - number * each) % len(readers) < each:
            yield slide
    yield from (one.id for one in design.slides if one.anchor or one.practice)


def _key(design: StudyDesign, *names: str) -> str:
    return hashlib.sha256("/".join((str(design.seed), *names)).encode()).hexdigest()


_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U, which are misread."""


def _codes(design: StudyDesign, reader_id: str, sitting: int) -> dict[str, str]:
    """Return the blinded name of each slide: another one for each reader and sitting."""
    taken: dict[str, str] = {}
    for slide in sorted(one.id for one in design.slides):
        attempt = 0
        while (code := _code(_key(design, "code", reader_id, str(sitting), slide, str(attempt)))) in taken:
            attempt += 1
        taken[code] = slide
    return {slide: code for code, slide in taken.items()}


def _code(digest: str) -> str:
    number = int(digest[:15], 16)
    return "".join(_LETTERS[(number >> (5 * place)) & 31] for place in range(6))


def reads_planned(design: StudyDesign) -> int:
    """Return how many reads the study has, practice left out."""
    return sum(not one.practice for reader in design.readers for one in schedule(design, reader.id))


def of_round(assignments: Sequence[Assignment], number: int) -> list[Assignment]:
    """Return the reads of one round, practice left out."""
    return [one for one in assignments if one.round == number and not one.practice]


def new_token() -> str:
    """Return a token of 43 letters that are safe in a link."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def reader_of(token: str, hashes: Mapping[str, str]) -> str | None:
    """Return whose token it is; None where it is nobody's.

    Every hash is compared, in constant time.
    """
    given = token_hash(token)
    found = [reader for reader, kept in hashes.items() if hmac.compare_digest(given, kept)]
    return found[0] if found else None
