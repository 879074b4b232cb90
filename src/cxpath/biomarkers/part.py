"""The base of every part of a profile: all is optional, and what is not stated is unknown, never negative."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import model_validator

from cxpath.values.settings import Settings

UNKNOWN = "unknown"


class TestResult(StrEnum):
    """The result of a test that was done; a test not done has none."""

    __test__ = False

    POSITIVE = "positive"
    NEGATIVE = "negative"


class ProfilePart(Settings):
    """A table of the profile; `field = "unknown"` says the same as leaving the field out."""

    @model_validator(mode="before")
    @classmethod
    def _unknown_is_absent(cls, stated: Any) -> Any:
        if not isinstance(stated, Mapping):
            return stated
        return {key: value for key, value in stated.items() if value != UNKNOWN}
