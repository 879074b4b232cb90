"""What a review leaves in its folder: the audited score, the score of edited cells, the signature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxpath.documents.estimate import Estimate
from cxpath.documents.reviewed import AuditedScore, ScoreBasis, StratumEntry
from cxpath.errors import DocumentError, MissingFileError
from cxpath.io import atomic_write
from cxpath.scores import AuditedScore as AuditEstimate, ScoreEstimate

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


@dataclass(frozen=True)
class AnsweredBy:
    """Who answered an audit, and on which events it rests.

    Parameters
    ----------
    reviewer, utc : str
        Printed name, and when the last answer was given.
    seed : int
        Of the draw.
    events : int
    head_hash : str
    """

    reviewer: str
    utc: str
    seed: int
    events: int
    head_hash: str


class AuditedEntry(AuditedScore, ReviewDocument):
    """`review/<id>/audit.json`, and the entry `audited` of `score.json`."""

    schema_: Literal["cxpath/audit/2"] = Field(default="cxpath/audit/2", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    @classmethod
    def of_score(cls, score: AuditEstimate, estimate: ScoreEstimate, answered: AnsweredBy) -> Self:
        """Return the entry of an audited score.

        Parameters
        ----------
        score : AuditedScore
        estimate : ScoreEstimate
            The same, with its interval for the tumour and its cut-offs.
        answered : AnsweredBy
        """
        return cls(
            **vars(answered),
            cps=score.cps,
            interval=score.interval,
            interval_tissue=estimate.interval_tissue,
            level=score.level,
            bounds=score.bounds,
            n=score.answered,
            cannot_tell=score.cannot_tell,
            answers=tuple(StratumEntry.of(stratum) for stratum in score.strata),
            tumour_cells=score.tumour_cells,
            hidden_cells=score.hidden_cells,
            squares=score.squares,
            method=estimate.method,
            cutoffs=Estimate.of_score(estimate).cutoffs,
            warnings=score.warnings,
        )


class EditedEntry(ReviewDocument):
    """`review/<id>/edited.json`: the score of a table that a person edited."""

    schema_: Literal["cxpath/edited/2"] = Field(default="cxpath/edited/2", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    estimate: Estimate | None
    """The CPS, its intervals and cut-offs; null where too few viable tumour cells are left."""

    tps: float | None
    not_evaluable_because: tuple[str, ...]
    counts: dict[str, int | None]
    """As `counts` of `score.json`."""

    changed: int = Field(ge=0)
    """Cells whose class or staining a person changed."""

    added: int = Field(ge=0)
    removed: int = Field(ge=0)

    accepted_fields: int = Field(default=0, ge=0)
    """Fields whose every call a person accepted: their cells carry no error of the network."""

    regions: int = Field(default=0, ge=0)
    """Regions that a person drew in the review."""

    reviewer: str
    warnings: tuple[str, ...] = ()
    """About the table that was given."""

    @property
    def cps(self) -> float | None:
        """The CPS, unrounded; None where the slide is not evaluable."""
        return self.estimate.value if self.estimate else None


class SignatureEntry(ReviewDocument):
    """`review/<id>/signature.json`: who signed what; void as soon as the record has more events."""

    schema_: Literal["cxpath/signature/1"] = Field(default="cxpath/signature/1", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    name: str = Field(min_length=1)
    """Printed name."""

    utc: str
    meaning: Literal["reviewed", "approved"]

    cps: float | None = Field(default=None, ge=0, le=100)
    """The CPS that was signed, unrounded; null where the slide is not evaluable."""

    basis: ScoreBasis = ScoreBasis.NETWORK
    """Whose cells it counts."""
