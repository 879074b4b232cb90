"""What the profile says about a fact: its value with words, or why it is unknown and what would settle it."""

from __future__ import annotations

from dataclasses import dataclass

from cxpath.therapy.clause import Scalar


@dataclass(frozen=True)
class Found:
    """A fact looked up.

    Parameters
    ----------
    value : bool, int, float, str or None
        None where it is unknown.
    words : str
        What is known, as shown beside the condition; for an unknown fact why it is unknown.
    settle : str
        What would make it known; empty for a known fact.
    compared : float or None
        The number to compare where the value itself is a text, such as "<1".
    """

    value: Scalar | None
    words: str
    settle: str = ""
    compared: float | None = None


def unknown(why: str, settle: str) -> Found:
    """Return an unknown fact."""
    return Found(None, why, settle)


def by_words(name: str) -> str:
    """Return an assay, or a scoring system, as a reader says it: "22C3", "gastric criteria"."""
    is_system = name.isalpha() and not any(letter.isupper() for letter in name)
    return f"{name} criteria" if is_system else name.upper()


def in_words(value: Scalar) -> str:
    """Return a value as a reader says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")
