"""Examples in Python and names of files in the documentation: what they name must be there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxpath
from tests.docs.pages import PAGES, ROOT, quoted, shell_lines


def python_blocks() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            yield page, block


BLOCKS = list(python_blocks())


@pytest.mark.parametrize(
    ("page", "block"), BLOCKS, ids=[f"{page.stem}-{i}" for i, (page, _) in enumerate(BLOCKS)]
)
def test_an_example_uses_what_cxpath_offers(page: Path, block: str) -> None:
    for node in ast.walk(ast.parse(block, str(page))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cxpath":
            assert hasattr(cxpath, node.attr), f"{page}: cxpath.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_that_a_page_names_are_there(page: Path) -> None:
    words = [word for text in quoted(page.read_text(encoding="utf-8")) for word in text.split()]
    words += [word for line in shell_lines(page) for word in line.split()]
    named = {word for word in words if re.fullmatch(r"(configs|scripts|src|tests)/[\w./-]+\.\w+", word)}
    assert sorted(name for name in named if not (ROOT / name).exists() and "NAME" not in name) == []
