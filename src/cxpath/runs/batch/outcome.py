"""Outcome: what became of one slide of a batch, as it is kept on disk.

*Failed* means tried and not scored, with the reason. A slide that was not tried yet has no outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

SCHEMA = "cxpath/outcome/1"


class Status(StrEnum):
    """What became of a slide."""

    RUNNING = "running"
    SCORED = "scored"
    NOT_EVALUABLE = "not evaluable"
    FAILED = "failed"


FINAL = frozenset({Status.SCORED, Status.NOT_EVALUABLE})
"""A slide of these is not scored again while it, the model, the settings and the version stay the same."""


@dataclass(frozen=True)
class Outcome:
    """What became of one slide.

    Parameters
    ----------
    id : str
        The slide's name in the batch.
    status : Status
    slide : str
        Its file name, or pseudonym.
    reason, hint : str
        Why it failed and what to do about it; empty otherwise.
    error : str
        Class of the error, such as "MissingFileError".
    attempts : int
        How often it was tried in the run that ended it; more than 1 after input or output errors.
    crashes : int
        How many worker processes ended while they scored it.
    seconds : float
        Of the last attempt, by a clock that does not jump.
    started, finished : str
        ISO 8601, UTC, by the worker's clock.
    worker : str
        Who scored it.
    slide_stamp : str
        Hash of the size and modification time of the slide's files.
    slide_digest : str
        SHA-256 of the slide; empty when it could not be read.
    request_digest : str
        SHA-256 of everything else that decides the result.
    """

    id: str
    status: Status
    slide: str = ""
    reason: str = ""
    hint: str = ""
    error: str = ""
    attempts: int = 0
    crashes: int = 0
    seconds: float = 0.0
    started: str = ""
    finished: str = ""
    worker: str = ""
    slide_stamp: str = ""
    slide_digest: str = ""
    request_digest: str = ""

    @property
    def is_final(self) -> bool:
        """Whether there is a result, good or not evaluable."""
        return self.status in FINAL

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as it is kept."""
        return {"schema": SCHEMA, **asdict(self)}


def outcome_from(document: Mapping[str, Any]) -> Outcome:
    """Return the outcome that `as_dict` gave; raises `ValueError` for anything else."""
    if document.get("schema") != SCHEMA:
        raise ValueError(f"schema is {document.get('schema')!r}, not {SCHEMA!r}")
    known = {field.name: document[field.name] for field in fields(Outcome) if field.name in document}
    return Outcome(**known | {"status": Status(known["status"])})
