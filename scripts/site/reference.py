"""Hook of MkDocs: the reference is written by what the program itself states, when the site is built.

A line `<!-- reference: WHAT NAME -->` of a page becomes a table:

* `commands score`: help and options of a command, or of every command of a group;
* `fields cxpath.documents:ScoreDocument`: the fields of a JSON document, those of its parts included;
* `settings cxpath.scores:ScoringSettings`: the settings of a section, with their defaults;
* `columns cxpath.data:CellTable`: the columns of a table.

A class that has a line of its own on a page is linked to from the other tables of that page, not repeated.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "src")) if path not in sys.path]

from scripts.site.columns import column_table  # noqa: E402  # found by the line above
from scripts.site.commands import command_reference  # noqa: E402
from scripts.site.fields import Links, field_table, settings_table  # noqa: E402

DIRECTIVE = re.compile(r"^<!-- reference: (?P<what>\w+) (?P<name>[^>]+?) -->$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page with its references written out; called by MkDocs for every page."""
    return written_out(markdown)


def written_out(page: str) -> str:
    """Return a page's Markdown with its references written out.

    Raises
    ------
    LookupError
        When a line asks for something that is not there: the site is not built.
    """
    links = _links(page)
    writers: dict[str, Callable[[str], str]] = {
        "commands": command_reference,
        "fields": lambda name: field_table(named(name), links),
        "settings": lambda name: settings_table(named(name), links),
        "columns": lambda name: column_table(named(name)),
    }
    return DIRECTIVE.sub(lambda found: writers[found["what"]](found["name"]), page)


def named(name: str) -> Any:
    """Return what `package:name` names, wherever in the package it is defined.

    Raises
    ------
    LookupError
        When there is no such package, or no such name in it.
    """
    package, _, attribute = name.partition(":")
    for module in _modules(package):
        if hasattr(module, attribute):
            return getattr(module, attribute)
    raise LookupError(f"{name}: not in {package}")


def _modules(package: str) -> Iterator[ModuleType]:
    """Yield a package and its modules, or a single module."""
    try:
        found = import_module(package)
    except ModuleNotFoundError as error:
        raise LookupError(f"{package}: no such package") from error
    yield found
    for one in iter_modules(getattr(found, "__path__", ())):
        yield import_module(f"{package}.{one.name}")


def _links(page: str) -> Links:
    """Return for each class with a table of its own the anchor of the heading above that table."""
    headings = [(found.start(), found["title"]) for found in _HEADING.finditer(page)]
    links: dict[type, str] = {}
    for found in DIRECTIVE.finditer(page):
        if found["what"] in {"fields", "settings"}:
            above = [title for start, title in headings if start < found.start()]
            links.setdefault(named(found["name"]), f"#{_anchor(above[-1])}")
    return links


def _anchor(title: str) -> str:
    """Return the anchor that MkDocs gives a heading."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())
