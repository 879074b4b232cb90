"""How surely a fact is known: the marks of the clinical brief, in words."""

from __future__ import annotations

from enum import StrEnum


class Certainty(StrEnum):
    """From read to not verified."""

    VERIFIED = "verified in a public page"
    SECONDARY = "seen on a secondary page only"
    HIGH = "from memory, high confidence"
    MEDIUM = "from memory, medium confidence"
    LOW = "from memory, low confidence"
    NOT_VERIFIED = "not verified"
