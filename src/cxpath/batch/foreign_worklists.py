"""Worklists that other programs write: TRIDENT's and hs2p's tables, and the images of a QuPath project."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from cxpath.errors import WorklistError

# Tables. TRIDENT's `--custom_list_of_wsis` has `wsi`, a path relative to the folder of slides, and `mpp` (its
# docs/faq.rst and trident/IO.py). hs2p has `sample_id`, `image_path`, `mask_path` and `spacing_at_level_0`,
# µm per pixel of level 0 (its docs/cli.md); before, it had `wsi_path` and `mask_path` (its README).


@dataclass(frozen=True)
class TableForm:
    """The columns of another program's table.

    Parameters
    ----------
    program : str
    meaning : mapping of str to str
        Its columns, and what they are called here; empty for what cxpath does not use.
    """

    program: str
    meaning: Mapping[str, str]


_FORMS = (
    TableForm("TRIDENT", {"wsi": "slide", "mpp": "mpp"}),
    TableForm(
        "hs2p", {"image_path": "slide", "sample_id": "id", "spacing_at_level_0": "mpp", "mask_path": ""}
    ),
    TableForm("hs2p", {"wsi_path": "slide", "mask_path": ""}),
)


def form_of_table(columns: Sequence[str]) -> TableForm | None:
    """Return whose table this is by its column of slides; None for cxpath's own, or for nobody's."""
    if "slide" in columns:
        return None
    return next((form for form in _FORMS if next(iter(form.meaning)) in columns), None)


def unused_columns(form: TableForm, columns: Sequence[str]) -> list[str]:
    """Return the columns that cxpath knows and does not use."""
    return [name for name in columns if form.meaning.get(name) == ""]


def translated(form: TableForm, entries: Mapping[str, str], *, hide_names: bool) -> dict[str, str]:
    """Return a row in cxpath's columns, without the name that another program gave if names are hidden."""
    own = {form.meaning.get(name, name): entry for name, entry in entries.items()}
    own.pop("", None)
    if hide_names and "id" in form.meaning.values():
        own.pop("id", None)
    return own


# QuPath: `project.qpproj` is JSON; each entry of `images` has a name and a `serverBuilder`, of type `uri` or
# wrapped into others (DefaultProject.java and ImageServers.java of qupath-core).


PROJECT_SUFFIX = ".qpproj"

_WRAPPERS = {"rotated", "pyramidize"}
"""Builders that show the same file, turned or with more levels: the file is scored as it was scanned."""
_HINT = "export a list of slides as CSV with a column `slide`, or save the project again"


@dataclass(frozen=True)
class ProjectImage:
    """One image of a project.

    Parameters
    ----------
    place : str
        Where it stands, for messages.
    slide : Path
    name : str
        As QuPath shows it.
    """

    place: str
    slide: Path
    name: str


def images_of_project(path: Path, *, hide_names: bool = False) -> list[ProjectImage]:
    """Return the images of a QuPath project.

    Messages number the images, and do not name them, if names are to be hidden. Where the project was moved
    along with its slides, they are looked for next to it, as QuPath does.

    Raises
    ------
    WorklistError
        When it is not a project, or an image is no file of this computer, several files, a part of one, or a
        further image of a file that contains several; the image is named.
    """
    try:
        project = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WorklistError(f"{path}: not a readable QuPath project", _HINT) from error
    images = project.get("images") if isinstance(project, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise WorklistError(f"{path}: has no list of images, as projects of QuPath have", _HINT)
    before = _former_place(project)
    places = [f"{path}: {_named(image, number, hide_names)}" for number, image in enumerate(images, start=1)]
    return [_image(path, place, image, before) for place, image in zip(places, images, strict=True)]


def _named(image: Mapping[str, Any], number: int, hidden: bool) -> str:  # noqa: FBT001  # said by its name
    return f"image {number}" if hidden else str(image.get("imageName") or f"image {number}")


def _image(path: Path, place: str, image: Mapping[str, Any], before: Path | None) -> ProjectImage:
    builder = _innermost(image.get("serverBuilder"), place)
    _refuse_other_series(builder.get("args"), place)
    slide = _local_file(str(builder.get("uri") or ""), place)
    if before and not slide.exists():
        moved = Path(os.path.normpath(path.absolute().parent / os.path.relpath(slide, before)))
        slide = moved if moved.exists() else slide
    return ProjectImage(place, slide, str(image.get("imageName") or slide.name))


def _innermost(builder: Any, place: str) -> Mapping[str, Any]:
    """Return the builder of the file; raises for one that is not a whole file."""
    seen = 0
    while isinstance(builder, dict) and builder.get("builderType") in _WRAPPERS and seen < 100:
        builder = builder.get("builder")
        seen += 1
    if not isinstance(builder, dict):
        raise WorklistError(f"{place}: the project does not say which file it is", _HINT)
    kind = builder.get("builderType", "uri")
    if kind != "uri":
        raise WorklistError(f"{place}: is made by QuPath ({kind}), not a slide file as it is", _HINT)
    return builder


def _refuse_other_series(arguments: Any, place: str) -> None:
    """Refuse what is not the first image of its file: cxpath would score that one instead."""
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    for option, value in pairwise(words):
        if (option == "--series" and value != "0") or option == "--name":
            raise WorklistError(f"{place}: is image {value} of a file of several images", _HINT)


def _local_file(uri: str, place: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        said = f"{parts.scheme or 'nowhere'}:" if parts.scheme != "file" else f"file://{parts.netloc}"
        raise WorklistError(f"{place}: lies at {said}, not in a file of this computer", _HINT)
    if parts.fragment or parts.query:
        wanted = parts.fragment or parts.query
        raise WorklistError(f"{place}: is image {wanted} of a file of several images", _HINT)
    return Path(url2pathname(parts.path) if os.name == "nt" else unquote(parts.path))


def _former_place(project: Mapping[str, Any]) -> Path | None:
    """Return the folder that the project was saved in."""
    uri = project.get("uri")
    try:
        return _local_file(uri, "project").parent if isinstance(uri, str) else None
    except WorklistError:
        return None


def name_for_results(image: ProjectImage, suffixes: frozenset[str]) -> str:
    """Return QuPath's name of an image without the suffix of a slide file."""
    suffix = Path(image.name).suffix
    return image.name.removesuffix(suffix) if suffix.lower() in suffixes else image.name
