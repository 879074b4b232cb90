"""The notebooks of the documentation run from an installed wheel, and their pages show what they printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import nbformat
import pytest

from scripts.site.notebooks import page, page_and_pictures
from scripts.site.run_notebooks import FOLDER
from tests.docs.pages import ROOT

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST_BYTES = 300_000
WIDEST = 90


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_the_installed_wheel(path: Path, installed_wheel: Path, tmp_path: Path) -> None:
    copy = shutil.copy(path, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.site.run_notebooks", copy],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(installed_wheel), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [one for one in nbformat.read(copy, as_version=4).cells if one.cell_type == "code"]
    assert [one.execution_count for one in cells] == list(range(1, len(cells) + 1))
    assert any("image/" in kind for one in cells for output in one.outputs for kind in output.get("data", ()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_ran_and_small(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [one for one in notebook.cells if one.cell_type == "code"]
    assert [one.execution_count for one in cells] == list(range(1, len(cells) + 1))
    outputs = [output for one in cells for output in one.outputs]
    assert not [one for one in outputs if one.output_type == "error" or one.get("name") == "stderr"]
    assert path.stat().st_size < LARGEST_BYTES
    assert [line for one in cells for line in one.source.splitlines() if len(line) > WIDEST] == []
    assert str(Path.home()) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_of_a_notebook_has_its_text_its_code_and_its_pictures(path: Path) -> None:
    made = dict(page_and_pictures(path, PurePosixPath("notebooks") / path.name))
    text = made.pop(f"notebooks/{path.stem}.md")
    assert isinstance(text, str)
    assert text.startswith("# ")
    assert "```python\n" in text
    assert made
    for name in made:
        assert f"]({name.removeprefix('notebooks/')})" in text


def test_what_a_notebook_printed_looks_like_the_rest_of_the_site() -> None:
    body = (
        "```python\nif x:\n    y\n```\n\n    printed\n\n      more\n\n\n    \n![png](x.png)\n    \n"
        '<div>\n<style scoped>\n    .a {}\n</style>\n<table border="1" class="dataframe">\n'
        '    <tr style="text-align: right;">\n</table>\n</div>\n'
    )
    written = page(body, "f.ipynb")
    assert written.startswith("```python\nif x:\n    y\n```\n")
    assert written.count("```{ .text .output }") == 1
    assert "```{ .text .output }\nprinted\n\n  more\n```\n" in written
    assert "<table>\n    <tr>\n</table>" in written


def test_links_between_notebooks_lead_to_their_pages() -> None:
    written = page("See [a](b.ipynb) and [c](d.ipynb#e).\n\n![png](x.png)\n", "f.ipynb")
    assert "[a](b.md) and [c](d.md#e)" in written
    assert "![What the cell above draws](x.png)" in written
    assert written.endswith("[This page as a notebook](f.ipynb)\n")
