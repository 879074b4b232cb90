"""The reference names every command, option, setting and field, and says of each what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import cxpath.documents
from cxpath.app.configuration import Configuration
from cxpath.documents.base import Document
from cxpath.documents.batch import BatchDocument
from cxpath.documents.review import ReviewDocument
from scripts.site.commands import Command, commands
from scripts.site.fields import SAME_EVERYWHERE, entries
from scripts.site.reference import DIRECTIVE, named
from tests.docs.pages import PAGES, REFERENCE, content, section

COMMANDS = tuple(commands())

OF_THE_PROGRAM = {
    "AuditedEntry": "audit.json: what AuditedScore has",
    "BatchProgress": "batch-state/, which nobody but cxpath reads",
    "HeadDocument": "a seal next to a reader's record",
    "ReviewDocument": "no document: what documents of a review share",
    "SavedWorklist": "batch-state/, which nobody but cxpath reads",
    "TmbTable": "a list of what TmbDocument has",
    "TokensDocument": "hashes of tokens",
    "WorklistEntry": "batch-state/, which nobody but cxpath reads",
}
"""Documents without a table, and why."""


def test_every_command_is_in_the_reference() -> None:
    text = content(REFERENCE / "command-line.md")
    assert [one.call for one in COMMANDS if f"\n{one.usage}\n" not in text] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.call)
def test_the_reference_of_a_command_has_all_its_options(command: Command) -> None:
    text = content(REFERENCE / "command-line.md")
    own = text.split(f"\n{command.usage}\n")[1].split("```text")[0]
    assert [one.form for one in command.parameters if f"| `{one.form}` |" not in own] == []
    assert command.text.splitlines()[0].endswith(".")


def is_plain(text: str) -> bool:
    """Say whether a help is a sentence; rich would take words in square brackets for markup."""
    sentence = re.fullmatch(r"[A-Za-z0-9/µ].*[.…]|.*…$", text) and len(text.split()) > 1
    return bool(sentence) and not re.search(r"\[[a-z]", text)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.call)
def test_the_help_of_an_option_is_a_sentence(command: Command) -> None:
    assert {one.form: one.help for one in command.parameters if not is_plain(one.help)} == {}


def settings_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the classes of all sections."""
    for field in model.model_fields.values():
        for one in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield one
                yield from settings_of(one)


def tables(page: str) -> set[type[BaseModel]]:
    """Return the classes that have a table on a page."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return {named(one["name"]) for one in DIRECTIVE.finditer(text) if one["what"] in {"settings", "fields"}}


@pytest.mark.parametrize(
    "section_class", list(dict.fromkeys(settings_of(Configuration))), ids=lambda one: one.__name__
)
def test_every_setting_is_in_the_reference(section_class: type[BaseModel]) -> None:
    assert section_class in tables("configuration.md")


@pytest.mark.parametrize("name", list(Configuration.model_fields))
def test_every_section_has_a_heading(name: str) -> None:
    text = section(REFERENCE / "configuration.md", f"## [{name}]")
    for key in Configuration.model_fields[name].annotation.model_fields:  # type: ignore[union-attr]
        assert f"| `{key}` |" in text


def documents() -> Iterator[type[BaseModel]]:
    for name in dir(cxpath.documents):
        one = getattr(cxpath.documents, name)
        if isinstance(one, type) and issubclass(one, Document | BatchDocument | ReviewDocument):
            yield one


def test_every_document_has_a_table_or_a_reason() -> None:
    shown = {model for page in ("outputs.md", "models.md") for model in tables(page)}
    parts = {part for model in shown for part in settings_of(model)}
    missing = {one.__name__ for one in documents() if one not in shown | parts}
    assert missing - set(OF_THE_PROGRAM) - {"Document", "BatchDocument"} == set()
    assert {name for name in OF_THE_PROGRAM if not hasattr(cxpath.documents, name)} <= {"ReviewDocument"}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if DIRECTIVE.search(page.read_text(encoding="utf-8")) or page.name == "api.md"],
    ids=lambda page: page.name,
)
def test_a_page_whose_tables_are_made_says_so_where_it_is_read_without_them(page: Path) -> None:
    before = DIRECTIVE.split(page.read_text(encoding="utf-8"))[0].split(":::")[0]
    assert "`make docs`" in before
    assert "plain Markdown" in before or "Plain Markdown" in before


TABLES = sorted(
    {model for page in PAGES if page.parent == REFERENCE for model in tables(page.name)},
    key=lambda one: one.__name__,
)


@pytest.mark.parametrize("model", TABLES, ids=lambda one: one.__name__)
def test_every_field_says_what_it_means(model: type[BaseModel]) -> None:
    own = [one for one in entries(model, {}) if one.key not in SAME_EVERYWHERE]
    assert own
    assert [one.key for one in own if not one.meaning.endswith((".", ","))] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent == REFERENCE], ids=lambda page: page.name
)
def test_no_cell_of_a_table_is_without_its_meaning(page) -> None:  # type: ignore[no-untyped-def]
    rows = [line for line in content(page).splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
