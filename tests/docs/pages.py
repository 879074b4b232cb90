"""The pages of the documentation, read as a new user reads them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts.site.reference import written_out

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
NOTEBOOK = ROOT / "docs" / "notebook"
"""Laboratory notebooks, which no reader of the documentation needs."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
CONSOLE = ("console", "bash", "sh")
_PROMPT = re.compile(r"(?:[a-z]+)?\$ +")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, without the indentation of the list that it is in."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Page and line, for the name of a test."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def content(page: Path) -> str:
    """Return a page as the site has it: with its references written out."""
    return written_out(page.read_text(encoding="utf-8"))


def blocks(*languages: str) -> Iterator[Block]:
    """Yield the blocks of all pages in these languages, or in any."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            if not languages or found["language"] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield Block(page, line, found["language"], textwrap.dedent(found["text"]))


def section(page: Path, heading: str) -> str:
    """Return what a page says under a heading, up to the next of the same or a higher level."""
    level, found = heading.split(" ", maxsplit=1)[0], list[str]()
    for line in content(page).splitlines():
        if found and re.match(rf"#{{1,{len(level)}}} ", line):
            break
        if found or line == heading:
            found.append(line)
    assert found, f"{page}: no {heading!r}"
    return "\n".join(found)


def quoted(text: str) -> set[str]:
    """Return everything between backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def shell_lines(page: Path) -> Iterator[str]:
    """Yield the commands of a page's console blocks, without prompt and remark, continued lines joined."""
    for block in blocks(*CONSOLE):
        if block.page == page:
            yield from commands_of(block)


def commands_of(block: Block) -> Iterator[str]:
    """Yield the commands of a console block, without prompt, continued lines joined."""
    return (command for command, _ in transcript(block))


def transcript(block: Block) -> list[tuple[str, list[str]]]:
    """Return the commands of a console block, each with the lines that it is shown to print.

    A prompt is `$`, or `host$` where a command belongs on a certain computer.
    """
    found: list[tuple[str, list[str]]] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if prompt := _PROMPT.match(line):
            found.append((line[prompt.end() :], []))
        elif line.strip():
            assert found, f"{block.where}: begins without a prompt"
            found[-1][1].append(line)
    return found
