"""Class names as programs and people write them: when two are the same, and that none means two things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

UNCLASSIFIED = "(no class)"
"""How an object or area without a class is named, in tables and in the maps that say what classes mean."""


def plain(name: str) -> str:
    """Return a class name without what does not matter: case, spaces outside and at colons, last stars."""
    parts = name.strip().rstrip("* ").split(":")
    return ": ".join(part.strip() for part in parts).casefold()


def refuse_repeats(names: Iterable[str]) -> None:
    """Raise ValueError, for a settings model to report, when two of these names are the same."""
    twice = [name for name, number in Counter(map(plain, names)).items() if number > 1]
    if twice:
        raise ValueError(f"class {twice[0]!r} has two meanings")
