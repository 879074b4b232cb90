"""Every field that a run writes stands in the reference of outputs, under the file it is in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import cxpath
from tests.conftest import SyntheticSlide
from tests.docs.pages import REFERENCE, content, quoted, section

PAGE = REFERENCE / "outputs.md"
NAMED_BY_THE_DATA = {
    "cutoffs", "excluded_mm2", "annotated_mm2", "null_because", "timings_s", "versions", "stages",
    "properties", "h_score_grades",
}  # fmt: skip
"""Objects whose keys are cut-offs, reasons, packages and the like; only what lies in them is looked at."""

SETTINGS = {"configuration", "scoring"}
"""Objects whose keys are settings, which have a reference and a test of their own."""


@pytest.fixture(scope="module")
def run(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("documented") / "out"
    cxpath.score_slide(synthetic_slide.path, out, assay="22c3", device="cpu")
    return out


def keys(document: Any) -> Iterator[str]:
    """Yield every key of a document, at whatever depth, but not those that are data themselves."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            if key not in SETTINGS:
                yield from keys(list((value or {}).values()) if key in NAMED_BY_THE_DATA else value)
    elif isinstance(document, list):
        for one in document:
            yield from keys(one)


SHARED = ("### A score with its intervals", "### Reasons and warnings")
"""Parts that several documents have; each is explained once."""


def named(heading: str) -> set[str]:
    """Return the names that a section explains, `a.b` as `a` and `b`; those of shared parts with them."""
    words = {word for one in (heading, *SHARED) for word in quoted(section(PAGE, one))}
    return {part.removesuffix("[]") for word in words for part in word.split(".")} | {
        "schema",
        "research_use",
    }


def columns(path: Path) -> set[str]:
    return set(pq.read_schema(path).names)


@pytest.mark.parametrize("name", ["score.json", "run.json"])
def test_every_key_of_a_document_is_explained(name: str, run: Path) -> None:
    document = json.loads((run / name).read_text(encoding="utf-8"))
    assert set(keys(document)) - named(f"## {name}") == set()


@pytest.mark.parametrize("name", ["cells.parquet", "tiles.parquet"])
def test_every_column_is_explained_and_no_other(name: str, run: Path) -> None:
    text = section(PAGE, f"## {name}")
    tables = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert quoted(" ".join(tables)) == columns(run / name)
    metadata = json.loads(pq.read_schema(run / name).metadata[b"cxpath"])
    assert set(metadata) - quoted(text) == set()


def test_every_key_of_the_gallery_is_explained(run: Path) -> None:
    fields = json.loads((run / "fields" / "fields.json").read_text(encoding="utf-8"))["fields"]
    assert fields
    assert set(keys(fields)) - named("## fields/") == set()


def test_every_member_of_the_export_for_qupath_is_explained(run: Path) -> None:
    with gzip.open(run / "cells.geojson.gz", "rt", encoding="utf-8") as file:
        export = json.load(file)
    text = section(PAGE, "## cells.geojson.gz")
    assert set(export["cxpath"]) <= named("## cells.geojson.gz")
    members = {name for one in export["features"] for name in one["properties"]} - {"objectType"}
    stated = {word.split(".")[2] for word in quoted(text) if word.startswith("features[].properties.")}
    assert members <= stated
    measured = {name for one in export["features"] for name in one["properties"]["measurements"]}
    assert measured - quoted(text) <= columns(run / "cells.parquet")


def test_every_file_of_a_run_is_in_the_table(run: Path) -> None:
    first = content(PAGE).split("\n## ")[0]
    assert {path.name for path in run.iterdir()} == {name.rstrip("/") for name in quoted(first)} & {
        path.name for path in run.iterdir()
    }
