"""What the page and the server say to each other: bodies of requests, and documents that answer them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

CellClass = Literal["tumour", "immune", "other", "not a cell"]
Answer = Literal["tumour", "immune", "other", "not a cell", "cannot tell"]
RegionUse = Literal["include", "exclude", "not invasive tumour"]
Pixels = Annotated[float, Field(ge=-1e7, le=1e7)]
Interval = tuple[float, float]

MOST_IDS = 200_000
MOST_POINTS = 20_000


class Body(BaseModel):
    """Base of what the page sends: an unknown key is an error, NaN is refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    shown_ms: int | None = Field(default=None, ge=0, le=86_400_000)
    """How long the person looked."""


class ReviewerBody(Body):
    """Who reviews."""

    name: str = Field(min_length=1, max_length=200)


class DrawBody(Body):
    """What audit to draw."""

    cells: int = Field(default=100, ge=20, le=2_000)
    squares: int = Field(default=0, ge=0, le=50)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)


class AnswerBody(Body):
    """An answer to one question of the audit."""

    number: int = Field(ge=1)
    answer: Answer = Field(alias="class")
    stained: bool | None = None


class SquareBody(Body):
    """The missed cells of one square."""

    number: int = Field(ge=1)
    tumour_stained: int = Field(ge=0, le=999)
    tumour_unstained: int = Field(ge=0, le=999)
    immune_stained: int = Field(ge=0, le=999)


class EditBody(Body):
    """What to change of some cells; what is left out stays."""

    ids: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=MOST_IDS)
    cell_class: CellClass | None = Field(default=None, alias="class")
    stained: bool | None = None
    toggle_stained: bool = False


class AddBody(Body):
    """A cell that the detector missed."""

    x_px: Pixels
    y_px: Pixels
    cell_class: Literal["tumour", "immune", "other"] = Field(alias="class")
    stained: bool


class UndoBody(Body):
    """What to take back: an event, or the reviewer's latest valid decision."""

    event: int | None = Field(default=None, ge=1)


class FieldBody(Body):
    """Whether every call in a field is accepted."""

    number: int = Field(ge=0)
    accepted: bool = True


class RegionBody(Body):
    """A region to add; points are x and y in level-0 pixels."""

    use: RegionUse
    points: list[Annotated[list[Pixels], Field(min_length=2, max_length=2)]] = Field(
        min_length=3, max_length=MOST_POINTS
    )


class RegionNumberBody(Body):
    """A region to remove."""

    number: int = Field(ge=1)


class SignBody(Body):
    """What a signature says."""

    meaning: Literal["reviewed", "approved"] = "reviewed"


class EmptyBody(Body):
    """Nothing but how long the person looked."""


class Message(BaseModel):
    """Base of what the server says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return self.model_dump(mode="json", by_alias=True)


class ScoreMessage(Message):
    """One score of the line."""

    cps: float | None
    reported: str | None
    interval: Interval | None
    interval_slide: Interval | None
    interval_reported: str | None
    tumour: int
    positive: int
    because: tuple[str, ...]


class EditedMessage(ScoreMessage):
    """The score after edits."""

    changed: int
    added: int
    removed: int
    accepted_fields: int
    regions: int


class AuditedMessage(Message):
    """The audited score."""

    cps: float
    reported: str
    interval: Interval
    interval_tissue: Interval
    interval_reported: str
    bounds: Interval
    n: int
    cannot_tell: int
    reviewer: str
    level: float
    warnings: tuple[str, ...]


class SideMessage(Message):
    """On which side of a cut-off a score lies."""

    decision: str
    probability: float


class CutoffMessage(Message):
    """One cut-off and the scores."""

    value: float
    basis: str
    network: SideMessage | None
    edited: SideMessage | None
    audited: SideMessage | None


class AuditMessage(Message):
    """How far the audit is."""

    name: str
    seed: int
    questions: int
    answered: int
    squares: int
    squares_answered: int
    complete: bool


class WantedMessage(Message):
    """Answers left for an interval whose ends are `fold` times apart."""

    fold: float
    left: int | None
    total: int | None


class LastMessage(Message):
    """What the last action changed."""

    event: int
    action: str
    text: str
    before: float | None
    after: float | None


class UndoMessage(Message):
    """What would be taken back next."""

    event: int
    text: str


class SignatureMessage(Message):
    """The valid signature."""

    name: str
    utc: str
    meaning: str
    events: int
    head_hash: str


class StateMessage(Message):
    """The score line."""

    events: int
    head_hash: str
    reviewer: str | None
    network: ScoreMessage
    edited: EditedMessage | None
    audited: AuditedMessage | None
    cutoffs: tuple[CutoffMessage, ...]
    audit: AuditMessage | None
    wanted: WantedMessage
    last: LastMessage | None
    undo: UndoMessage | None
    signature: SignatureMessage | None
    warnings: tuple[str, ...]


class ChangesMessage(Message):
    """What to patch in the arrays of `cells.bin`: id, class, flags and place of each changed cell."""

    since: int
    events: int
    head_hash: str
    reload: bool
    cells: tuple[tuple[int, int, int, float, float], ...]
