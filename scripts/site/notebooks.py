"""Hook of MkDocs: every notebook of docs/notebooks becomes a page, with the outputs that are stored in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

_LINK = re.compile(r"\]\((?P<path>[\w./-]+)\.ipynb(?P<anchor>#[\w-]*)?\)")
_CODE_OR_TABLE = re.compile(r"(^```.*?^```$|^<table.*?^</table>$)", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"(?:^ {4}.*\n|^\n(?= {4}))+", re.MULTILINE)
"""What a cell printed, indented."""
_STYLED = re.compile(
    r'<style scoped>.*?</style>\n|(?<=<table) border="1" class="dataframe"|(?<=<tr) style="[^"]*"', re.DOTALL
)
"""What pandas says of the look of its tables, which is the site's to choose."""
_PICTURE = re.compile(r"!\[(?:png|svg|jpeg)\]\(")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and their pictures to the files of the site; called by MkDocs."""
    for notebook in [one for one in files if one.src_uri.endswith(".ipynb")]:
        for uri, content in page_and_pictures(Path(notebook.abs_src_path), PurePosixPath(notebook.src_uri)):
            files.append(File.generated(config, uri, content=content))
    return files


def page_and_pictures(path: Path, uri: PurePosixPath) -> Iterator[tuple[str, str | bytes]]:
    """Yield the Markdown of a notebook and its pictures, each with its place among the pages.

    Parameters
    ----------
    path : Path
        The notebook, already run.
    uri : PurePosixPath
        Its place among the pages.
    """
    body, resources = MarkdownExporter().from_filename(
        str(path), resources={"output_files_dir": f"{uri.stem}-pictures", "unique_key": uri.stem}
    )
    yield str(uri.with_suffix(".md")), page(body, uri.name)
    for name, content in resources["outputs"].items():
        yield str(uri.parent / name), content


def page(body: str, notebook: str) -> str:
    """Return a page: links to other notebooks lead to their pages, and the notebook can be had itself.

    Tables and printed text look like those of the other pages.
    """
    parts = _CODE_OR_TABLE.split(_STYLED.sub("", body))
    plain = "".join(part if at % 2 else _PRINTED.sub(_fenced, part) for at, part in enumerate(parts))
    linked = _LINK.sub(r"](\g<path>.md\g<anchor>)", plain)
    shown = _PICTURE.sub("![What the cell above draws](", linked)
    return f"{shown.rstrip()}\n\n[This page as a notebook]({notebook})\n"


def _fenced(printed: re.Match[str]) -> str:
    """Return printed lines as a block that may be wrapped; lines of blanks, which surround pictures, go."""
    text = textwrap.dedent(printed[0]).strip("\n")
    return f"\n```{{ .text .output }}\n{text}\n```\n" if text.strip() else "\n"
