"""Check the prose of pages with proselint and the project's own vocabulary; `make check` runs it, offline.

    python -m scripts.studies.check_prose README.md docs src

Prints a line for each finding and ends with 1 when there is one. Code, links and keys are not prose. Headings
and cells of tables are, but only running text has sentences to be too long. Of modules in Python, docstrings
and messages are compared with the vocabulary alone.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import proselint.checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, Padding, types
from proselint.registry.checks.engine import Fancy
from proselint.tools import LintFile

VOCABULARY = {
    r"drawn (?:tissue|slides?|cells?|images?|pictures?|test set|(?:test )?sets?)": "synthetic or annotated",
    r"judg(?:ed?|es|ing)": "evaluate or decide",
    r"told": "given, or distinguished",
    r"taught|teach(?:es|ing)?": "trained, train",
    r"traps?": "hard negative",
    r"beside": "next to, or besides",
    r"holds?|held(?![ -]out)": "contain, cover, keep, or be valid",
    r"likeness(?:es)?": "pairwise measure, or domain gap",
    r"kept apart": "held out, or of validation patients",
    r"same footing": "leave-one-reader-out",
    r"work(?:ing|s)? ahead": "prefetch",
    r"stage clock": "profiling",
    r"scarce looks?": "rare appearances",
    r"poor scans?": "scanner augmentation",
    r"stands? (?:in|under|beside|apart)": "be in, be recorded in",
    r"(?:go|goes|went|going) on": "continue or resume",
    r"who(?:ever)? (?:wants|needs|has|asks)": "if you want, need, have",
    r"anew": "again",
    r"least of all|so to speak|not least": "nothing",
}
"""What is not written here, and what is written instead: the words of the field (`docs/development.md`)."""

PERSONS = (
    r"(?:cxpath|the (?:network|software|program|page|report|interval|score|table|model|result)s?)"
    r" (?:minds?|believes?|wants?|likes?|cares?|hopes?|thinks?|speaks?|means? it)"
)
OF_PAGES_ALONE = r"holds?|held(?![ -]out)"
"""Words that modules may use: a lock is held, and a picture is held in memory."""
BRITISH = {
    "color": "colour",
    "colors": "colours",
    "center": "centre",
    "centers": "centres",
    "gray": "grey",
    "behavior": "behaviour",
    "neighbor": "neighbour",
    "neighbors": "neighbours",
    "recognize": "recognise",
    "recognized": "recognised",
    "normalized": "normalised",
    "quantized": "quantised",
    "optimized": "optimised",
    "summarize": "summarise",
}
MOST_WORDS_A_SENTENCE = 40
_ITEM = "\N{BULLET}"
LEFT_OUT = (
    "typography", "spelling", "dates_times", "terms", "skunked_terms", "lexical_illusions",
    "social_awareness", "industrial_language.chatspeak",
)  # fmt: skip
"""Checks of proselint for essays (quotation marks, American words), or that stumble over names (ASAP)."""


def checks() -> tuple[Check, ...]:
    """Return the project's own checks, in proselint's form."""
    words = tuple(
        Check(
            check_type=types.ExistenceSimple(pattern=Padding.WORDS_IN_TEXT.format(f"(?:{words})")),
            path="vocabulary",
            message=f"'{{}}' is not used here: {instead}",
            engine=Fancy(),
        )
        for words, instead in VOCABULARY.items()
    )
    person = types.ExistenceSimple(pattern=Padding.WORDS_IN_TEXT.format(PERSONS))
    british = types.PreferredFormsSimple(items=BRITISH)
    return (
        *words,
        Check(check_type=person, path="vocabulary", message="'{}': software is no person", engine=Fancy()),
        Check(check_type=british, path="vocabulary", message="British spelling: {} for '{}'"),
    )


def prose(markdown: str) -> str:
    """Return a page with everything that is no prose blanked, line by line."""
    text = re.sub(r"^( *)```.*?^\1```", _blank, markdown, flags=re.DOTALL | re.MULTILINE)
    for nothing in (r"<!--.*?-->", r"<kbd>.*?</kbd>", r"\]\([^)]*\)", r"`[^`\n]*`", r"\*[^*\n]*→[^*\n]*\*"):
        text = re.sub(nothing, _blank, text, flags=re.DOTALL)
    return text


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def long_sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the first words of every sentence that is too long, tables and headings left out."""
    plain = re.sub(r"^[ \t]*[|#].*$", "", text, flags=re.MULTILINE)
    plain = re.sub(r"^[ \t]*(?:[-*:]|\d+\.) ", f"{_ITEM} ", plain, flags=re.MULTILINE)
    for paragraph in re.finditer(r"(?:[ \t]*\S[^\n]*\n?)+", plain):
        for sentence in re.split(rf"(?<=[.!?:;])\s+|{_ITEM}", paragraph[0]):
            words = sentence.split()
            if len(words) > MOST_WORDS_A_SENTENCE:
                yield plain.count("\n", 0, paragraph.start()) + 1, " ".join(words[:8])


def findings(path: Path) -> Iterator[str]:
    """Yield one line for each finding in a page."""
    text = prose(path.read_text(encoding="utf-8"))
    left_out = dict.fromkeys(LEFT_OUT, False)
    enabled = left_out | {"vocabulary": True} | DEFAULT["checks"] | left_out
    for found in LintFile(str(path), text).lint({"max_errors": 1000, "checks": enabled}):
        yield f"{path}:{found.pos[0]}: {found.check_result.message}"
    for line, words in long_sentences(text):
        yield f"{path}:{line}: more than {MOST_WORDS_A_SENTENCE} words: {words} ..."


def texts_of(module: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every docstring and message of a module: strings of three words or more."""
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) >= 3:
            yield node.lineno, prose(node.value)


def findings_of_module(path: Path) -> Iterator[str]:
    """Yield one line for each word of the vocabulary that a module in Python says."""
    words = {one: f"not used here: {VOCABULARY[one]}" for one in VOCABULARY if one != OF_PAGES_ALONE}
    texts = list(texts_of(path.read_text(encoding="utf-8")))
    for pattern, why in (words | {PERSONS: "software is no person"}).items():
        for line, text in texts:
            for found in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
                yield f"{path}:{line + text.count(chr(10), 0, found.start())}: '{found[0]}': {why}"


def pages(paths: Sequence[str]) -> list[Path]:
    """Return the pages and modules that are named, and those in the folders that are named."""
    named = [Path(one) for one in paths]
    below = (page for one in named if one.is_dir() for page in one.rglob("*"))
    return sorted({one for one in (*named, *below) if one.is_file() and one.suffix in {".md", ".py"}})


def main() -> None:
    """Print what is found in the pages that the command line names."""
    registry = CheckRegistry()
    registry.register_many((*checks(), *proselint.checks.__register__))
    readers = {".md": findings, ".py": findings_of_module}
    found = [line for page in pages(sys.argv[1:]) for line in readers[page.suffix](page)]
    print("\n".join(found) or "prose: nothing found")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
