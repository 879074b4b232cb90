"""Filling a page's template: everything escaped, nothing undefined, the style sheets inside the page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup


def render_page(template: str, styles: Sequence[str] = ("report.css",), **content: Any) -> str:
    """Return a page's HTML.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`.
    styles : sequence of str
        Our own style sheets there, which are not escaped.
    **content
        What the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxpath.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = capitalize_first
    folder = files("cxpath.report") / "templates"
    css = Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in styles))
    return environment.get_template(template).render(css=css, **content)


def capitalize_first(text: object) -> str:
    """Return a text with its first letter in upper case and the rest as it is."""
    words = str(text)
    return words[:1].upper() + words[1:]
