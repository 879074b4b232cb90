"""The hook that writes the reference: each kind of table, and what is not there stops the build."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from scripts.site.columns import column_table, columns
from scripts.site.commands import command_reference, commands
from scripts.site.fields import entries, field_table, form_of, settings_table
from scripts.site.reference import named, on_page_markdown, written_out
from scripts.site.tables import cell, table


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Shade(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    colour: Colour = Colour.RED
    """Which colour."""
    depth: float | None = Field(default=None, gt=0, le=1)
    """How deep."""


class Picture(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    schema_name: Literal["picture/1"] = Field(default="picture/1", alias="schema")
    shades: tuple[Shade, ...] = ()
    """Its shades."""
    by_name: Mapping[str, Shade] = {}
    """The same, by name."""
    main: Shade | None = None
    """The first."""


def test_a_table_has_a_row_for_each_field_and_those_of_its_parts() -> None:
    keys = [one.key for one in entries(Picture, {})]
    assert keys == [
        "schema", "shades", "shades[].colour", "shades[].depth", "by_name", "by_name.*.colour",
        "by_name.*.depth", "main", "main.colour", "main.depth",
    ]  # fmt: skip


def test_a_part_with_a_table_of_its_own_is_linked_and_not_repeated() -> None:
    written = field_table(Picture, {Shade: "#shade"})
    assert "| `main` | [object](#shade) or null | The first. |" in written
    assert "colour" not in written
    assert written.startswith("Schema `picture/1`.\n")


def test_settings_show_default_limits_and_choices() -> None:
    written = settings_table(Shade, {})
    assert '| `colour` | `"red"` | `red`, `blue` | Which colour. |' in written
    assert "| `depth` | `unset` | number, above 0, at most 1 | How deep. |" in written


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "whole number"),
        (float | None, "number or null"),
        (tuple[float, float], "[number, number]"),
        (tuple[str, ...] | None, "list of text or null"),
        (Mapping[str, bool], "name → true or false"),
        (Annotated[float, Field(ge=0)], "number"),
        (Literal["a", "b"], "`a`, `b`"),
        (Colour, "`red`, `blue`"),
        (Path, "Path"),
    ],
)
def test_types_are_told_in_words(annotation: object, words: str) -> None:
    assert form_of(annotation) == words


class Places:
    x_px: NDArray[np.float64]
    """Across."""
    kind: NDArray[np.uint8]
    """What it is."""
    name: str


def test_columns_of_a_class_are_its_arrays_with_the_text_below_them() -> None:
    assert [tuple(one) for one in columns(Places)] == [
        ("x_px", "float64", "Across."),
        ("kind", "text", "What it is."),
    ]
    assert "| `x_px` | float64 | Across. |" in column_table(Places)


app, group = typer.Typer(), typer.Typer()
app.add_typer(group, name="many")


class Form(StrEnum):
    SHORT = "short"
    LONG = "long"


@app.command()
def one(
    slide: Annotated[Path, typer.Argument(help="The slide.")],
    form: Annotated[Form, typer.Option(help="How it is told.")] = Form.SHORT,
    names: Annotated[list[str] | None, typer.Option("--name", help="A name.")] = None,
    loud: Annotated[bool, typer.Option("--loud/--quiet", help="Say all of it.")] = True,
) -> None:
    """Tell of a slide."""


@group.command(name="first-of-all")
def first(out: Annotated[Path, typer.Option(help="Folder.", show_default="a new one")]) -> None:
    """Tell of the first."""


def test_commands_are_read_off_the_program() -> None:
    told, many = commands(app)
    assert (told.call, told.usage) == ("cxpath one", "cxpath one SLIDE [OPTIONS]")
    assert [each.form for each in told.parameters] == [
        "SLIDE",
        "--form NAME",
        "--name TEXT",
        "--loud, --quiet",
    ]
    assert [each.meaning for each in told.parameters][1:3] == [
        "How it is told. One of `short`, `long`.",
        "A name. Repeatable.",
    ]
    assert [each.shown_default for each in told.parameters] == ["required", "`short`", "", "`True`"]
    assert many.usage == "cxpath many first-of-all --out PATH"


def test_a_group_has_a_heading_for_each_of_its_commands() -> None:
    assert command_reference("config").count("### cxpath config ") == 3
    assert "###" not in command_reference("score")


def test_cells_of_a_table_stay_in_their_cell() -> None:
    assert cell("a | b\n<c>") == "a \\| b &lt;c>"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_page_without_a_reference_stays_as_it_is() -> None:
    assert on_page_markdown("# Title\n\nText.\n", page=None) == "# Title\n\nText.\n"


@pytest.mark.parametrize(
    "line",
    ["commands nothing", "fields cxpath.documents:Nothing", "columns cxpath.nothing:Table", "else what"],
)
def test_what_is_not_there_stops_the_build(line: str) -> None:
    with pytest.raises(LookupError):
        written_out(f"# Title\n\n<!-- reference: {line} -->\n")


def test_a_class_is_found_wherever_in_the_package_it_is() -> None:
    assert named("cxpath.tissue:ArtefactSettings").__name__ == "ArtefactSettings"


def test_tables_link_to_the_heading_of_a_parts_own_table() -> None:
    page = (
        "## A score's cut-offs [1]\n\n<!-- reference: fields cxpath.documents:CutoffEntry -->\n\n"
        "## Estimate\n\n<!-- reference: fields cxpath.documents:Estimate -->\n"
    )
    assert "[object](#a-scores-cut-offs-1)" in written_out(page)
