"""README and Getting started can be read by a stranger: easy words, short sentences, one screen, pictures.

The documentation as a whole stays short enough to be read.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyphen import Pyphen

from tests.docs.pages import NOTEBOOK, ROOT

README = ROOT / "README.md"
GETTING_STARTED = ROOT / "docs" / "getting-started.md"
LEAST_EASE = 60.0
"""Hyphenation finds a tenth too few syllables, which lifts the ease by 8: this is 50 and more in truth."""
MOST_WORDS_A_SENTENCE = 35
MOST_WORDS = {README: 500, GETTING_STARTED: 900, ROOT / "docs" / "accuracy.md": 900}
MOST_WORDS_IN_ALL = 20_000
"""Of `docs/` without the laboratory notebooks; tables that are made from the program are not counted."""
_HYPHENATION = Pyphen(lang="en_US")


def paragraphs(page: Path) -> list[str]:
    """Return the running text of a page: no code, pictures, tables, headings or targets of links."""
    text = re.sub(r"```.*?```", "\n\n", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(\||#|!!!)", line)]
    items = re.sub(r"\n\s*([-*]|\d+\.) ", "\n\n", "\n".join(lines))
    plain = re.sub(r"`[^`]*`", "command", items).replace("*", "")
    return [" ".join(one.split()) for one in plain.split("\n\n") if re.search(r"\w", one)]


def sentences(page: Path) -> list[str]:
    return [one for text in paragraphs(page) for one in re.split(r"(?<=[.!?:;])\s+(?=[A-Z])", text)]


def reading_ease(page: Path) -> float:
    """Return Flesch's reading ease (1948, J Appl Psychol 32:221) of the running text."""
    words = [word for one in sentences(page) for word in re.findall(r"[^\W\d_][\w'’-]*", one)]
    syllables = sum(len(_HYPHENATION.positions(word.lower())) + 1 for word in words)
    return 206.835 - 1.015 * len(words) / len(sentences(page)) - 84.6 * syllables / len(words)


@pytest.mark.parametrize("page", [README, GETTING_STARTED], ids=lambda page: page.name)
def test_it_is_easy_to_read(page: Path) -> None:
    assert reading_ease(page) >= LEAST_EASE


@pytest.mark.parametrize("page", [README, GETTING_STARTED], ids=lambda page: page.name)
def test_no_sentence_is_long(page: Path) -> None:
    assert [one for one in sentences(page) if len(one.split()) > MOST_WORDS_A_SENTENCE] == []


@pytest.mark.parametrize(("page", "most"), MOST_WORDS.items(), ids=lambda one: getattr(one, "name", one))
def test_it_is_short(page: Path, most: int) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= most


@pytest.mark.parametrize(("page", "count"), [(README, 2), (GETTING_STARTED, 4)], ids=["README", "start"])
def test_its_pictures_are_there(page: Path, count: int) -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(pictures) == count
    assert [one for one in pictures if not (page.parent / one).is_file()] == []


def test_the_documentation_is_short() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if NOTEBOOK not in page.parents]
    words = {page.relative_to(ROOT): len(page.read_text(encoding="utf-8").split()) for page in pages}
    assert sum(words.values()) <= MOST_WORDS_IN_ALL, sorted(words.items(), key=lambda one: -one[1])[:10]
