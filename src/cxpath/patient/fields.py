"""The base of every part of a profile: all is optional, and what is not stated is unknown, never negative."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from cxpath.data import Settings

UNKNOWN = "unknown"


class TestResult(StrEnum):
    """The result of a test that was done; a test not done has none."""

    __test__ = False

    POSITIVE = "positive"
    NEGATIVE = "negative"


def _plain(name: str | None) -> str | None:
    return (name.strip().lower() or None) if name else None


def _rising(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    if interval is not None and not 0 <= interval[0] <= interval[1]:
        raise ValueError("must be two rising numbers, not below 0")
    return interval


PlainName = Annotated[str | None, AfterValidator(_plain)]
"""A name, such as of an assay, in lower case and without outer blanks: however it was typed, it compares."""

Interval = Annotated[tuple[float, float] | None, AfterValidator(_rising)]
"""Lower and upper bound of what is never negative."""

HScore = Annotated[float | None, Field(ge=0, le=300)]
"""Share of cells by intensity, weighted: 0 to 300."""


class ProfilePart(Settings):
    """A table of the profile; `field = "unknown"` says the same as leaving the field out."""

    @model_validator(mode="before")
    @classmethod
    def _unknown_is_absent(cls, stated: Any) -> Any:
        if not isinstance(stated, Mapping):
            return stated
        return {key: value for key, value in stated.items() if value != UNKNOWN}
