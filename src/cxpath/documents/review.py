"""What a review leaves in its folder: the audited score, the score of edited cells, the signature."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxpath.errors import DocumentError, MissingFileError
from cxpath.io import atomic_write
from cxpath.scores import AuditedScore
from cxpath.scores.audit import METHOD

_HINT = "run cxpath review again, or restore the file from a backup"

AnyDocument = TypeVar("AnyDocument", bound="ReviewDocument")


class ReviewDocument(BaseModel):
    """Base of the files of a review: frozen, an unknown key is an error, NaN is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    events: int = Field(ge=1)
    """Number of events of the record that this rests on."""

    head_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the last of them."""

    def write(self, path: Path) -> None:
        """Write the document, whole or not at all."""
        with atomic_write(path) as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the document.

        Raises
        ------
        MissingFileError, DocumentError
            When there is no such file, or a field of it is not what it should be; the field is named.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise MissingFileError(f"{path}: no such file", _HINT) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise DocumentError(f"{path}: {where}: {first['msg']}", _HINT) from error
        except OSError as error:
            raise DocumentError(f"{path}: cannot be read: {error.strerror or error}", _HINT) from error


class StratumEntry(BaseModel):
    """Answers of one stratum of the audit."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Called class and how the staining probability lies to the threshold: "tumour stained"."""

    cells: int = Field(ge=0)
    """Cells of the slide in the stratum."""

    answered: int = Field(ge=0)
    """Cells with an answer other than "cannot tell"."""

    cannot_tell: int = Field(ge=0)
    """Cells answered "cannot tell"."""

    in_numerator: int = Field(ge=0)
    """Answered cells that enter the numerator of the CPS."""

    in_denominator: int = Field(ge=0)
    """Answered cells that are viable tumour cells."""


class AuditedEntry(ReviewDocument):
    """`review/<id>/audit.json`, and the entry `audited` of `score.json`."""

    schema_: Literal["cxpath/audit/1"] = Field(default="cxpath/audit/1", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    cps: float = Field(ge=0, le=100)
    """Unrounded."""

    interval: tuple[float, float]
    """For this slide's own CPS."""

    level: float
    """Coverage that the interval aims at."""

    bounds: tuple[float, float]
    """The CPS with every "cannot tell" counted against it, and for it."""

    n: int = Field(ge=1)
    """Cells that were answered, "cannot tell" included."""

    cannot_tell: int = Field(ge=0)

    answers: tuple[StratumEntry, ...]
    """Answers of each stratum."""

    hidden_cells: float = Field(ge=0)
    """Stained cells that may lie far below the threshold; they widen the interval upwards only."""

    squares: int = Field(ge=0)
    """Squares in which missed cells were counted; 0 says nothing about missed cells."""

    reviewer: str
    seed: int
    method: str = METHOD
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, score: AuditedScore, *, reviewer: str, seed: int, events: int, head_hash: str) -> Self:
        """Return the entry of an audited score."""
        return cls(
            events=events,
            head_hash=head_hash,
            cps=score.cps,
            interval=score.interval,
            level=score.level,
            bounds=score.bounds,
            n=score.answered,
            cannot_tell=score.cannot_tell,
            answers=tuple(StratumEntry(**vars(stratum)) for stratum in score.strata),
            hidden_cells=score.hidden_cells,
            squares=score.squares,
            reviewer=reviewer,
            seed=seed,
            warnings=score.warnings,
        )


class EditedEntry(ReviewDocument):
    """`review/<id>/edited.json`: the score of a table that a person edited."""

    schema_: Literal["cxpath/edited/1"] = Field(default="cxpath/edited/1", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    cps: float | None
    """None where too few viable tumour cells are left."""

    interval_slide: tuple[float, float] | None
    interval_tissue: tuple[float, float] | None
    tps: float | None
    not_evaluable_because: tuple[str, ...]
    counts: dict[str, int | None]
    """As `counts` of `score.json`."""

    changed: int = Field(ge=0)
    """Cells whose class or staining a person changed."""

    added: int = Field(ge=0)
    removed: int = Field(ge=0)
    reviewer: str
    warnings: tuple[str, ...] = ()
    """About the table that was given."""


class SignatureEntry(ReviewDocument):
    """`review/<id>/signature.json`: who signed what; void as soon as the record has more events."""

    schema_: Literal["cxpath/signature/1"] = Field(default="cxpath/signature/1", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    name: str = Field(min_length=1)
    """Printed name."""

    utc: str
    meaning: Literal["reviewed", "approved"]
