"""SlideTask: one slide of a batch, how to score it, and what the lab says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cxpath.runs.score_request import ScoreRequest


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
        SHA-256 of all that decides the result beside the slide; empty: never the same as before.
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
        return self.request.shown_name or self.request.slide.name
