"""The pages of the documentation, read as a new user reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def section(page: Path, heading: str) -> str:
    """Return what stands under a heading, up to the next of the same or a higher level."""
    level, found = heading.split(" ", maxsplit=1)[0], list[str]()
    for line in page.read_text(encoding="utf-8").splitlines():
        if found and re.match(rf"#{{1,{len(level)}}} ", line):
            break
        if found or line == heading:
            found.append(line)
    assert found, f"{page}: no {heading!r}"
    return "\n".join(found)


def quoted(text: str) -> set[str]:
    """Return everything that stands between backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def shell_lines(page: Path) -> Iterator[str]:
    """Yield the commands of a page's console blocks, without prompt and remark, continued lines joined."""
    for block in re.findall(r"```(?:console|bash|sh)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line[2:]
