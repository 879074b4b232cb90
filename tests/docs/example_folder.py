"""A folder with everything that the documentation names, for its commands and examples to run in."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import cxpath
from cxpath.app.study import read_study
from cxpath.data.cells import CellTable, Kind
from cxpath.io.cells import read_cells
from cxpath.io.tables import write_rows
from cxpath.review.study_design import Assignment
from cxpath.synth.slide import write_synthetic_slide
from tests.app.studies import read_by_all
from tests.app.test_tmb import cohort as maf, maf_row, missense_calls
from tests.cell_tables import write_cells_geojson
from tests.cli.given_cells import as_qupath_table
from tests.cli.scored_folders import scored_folder
from tests.docs.pages import ROOT
from tests.review.study_designs import answer
from tests.slide.dicom_slides import write_dicom_series
from tests.synthetic_cells import many

SIDE_PX = 1536
"""The smallest slide with more than the 100 tumour cells that a score requires."""
RESULT, KEPT = Path("cxpath-out/slide"), Path("kept/slide")
CASES = 60
CASES_READ = 8


def fill(folder: Path) -> None:
    """Write what a reader of the documentation has, or has just made, when a page names it."""
    for name in ("configs", "scripts", "src", "tests", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    _write_slides(folder)
    _write_cells(folder)
    _write_reads(folder)
    _write_patients(folder)
    _write_what_other_tools_left(folder)


def _write_slides(folder: Path) -> None:
    path = folder / "slide.svs"
    write_synthetic_slide(path, seed=3, cps=20, width_px=SIDE_PX, height_px=SIDE_PX, workers=1)
    cxpath.score_slide(path, folder / RESULT, assay="22c3", device="cpu")
    shutil.copytree(folder / RESULT, folder / KEPT)
    (folder / "slides").mkdir()
    for name in ("slide1", "slide2"):
        shutil.copy(path, folder / "slides" / f"{name}.svs")
    with cxpath.open_slide(path) as slide:
        Image.fromarray(slide.read(0, 0, 800, 800, 0.44)).save(folder / "core.jpg", quality=95)
        write_dicom_series(folder / "series", [slide.read(0, 0, SIDE_PX, SIDE_PX, 0.25)])
    _annotate(folder / "slide.geojson", "Tumor", 100, 100, SIDE_PX - 200)


def _annotate(path: Path, name: str, left: int, top: int, side: int) -> None:
    """Write one square region as QuPath does."""
    corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    ring = [[left + x, top + y] for x, y in corners]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": name}},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")


def _write_cells(folder: Path) -> None:
    """Write the slide's cells as QuPath exports them: plain, corrected in one cell, and as a table."""
    found = read_cells(folder / RESULT / "cells.parquet")
    kind = np.where(np.arange(len(found)) == 0, Kind.OTHER, found.kind).astype(np.uint8)
    _write_geojson(folder / "cells.geojson", found, SIDE_PX)
    _write_geojson(folder / "corrected.geojson.gz", replace(found, kind=kind), SIDE_PX)
    table = folder / "measurements.tsv"
    as_qupath_table(found, table)
    table.write_text(table.read_text(encoding="utf-8").replace("drawn.svs", "slide.svs"), encoding="utf-8")


def _write_geojson(path: Path, cells: CellTable, side_px: int) -> None:
    packed = path.with_name("packed.geojson.gz")
    write_cells_geojson([cells], packed, cells.facts, (0, 0, side_px, side_px), stained_threshold=0.5)
    content = packed.read_bytes()
    packed.unlink()
    path.write_bytes(content if path.suffix == ".gz" else gzip.decompress(content))


def _write_reads(folder: Path) -> None:
    """Write cases with a result each, all of one network, and what readers read."""
    scored = json.loads((folder / RESULT / "score.json").read_text(encoding="utf-8"))
    alike = {key: scored[key] for key in ("assay", "scoring", "provenance")}
    for number in range(CASES):
        cells = faintly_stained(positive_of(number))
        scored_folder(folder / "cxpath-out" / f"case{number:02d}", cells, **alike)
    write_reads(folder)
    cells = many({"T+": 20, "T-": 180})
    for name in ("A1", "A2", "B1"):
        scored_folder(folder / "out" / name, cells)
    scored_folder(folder / "cxpath-out" / "slide1", cells, **alike)
    _write_geojson(folder / "cxpath-out" / "slide1" / "cells.geojson.gz", cells, 100_000)
    _write_geojson(folder / "field1.geojson", cells, 100_000)


def write_reads(folder: Path) -> None:
    """Write the reads of two readers, about half of what is counted, as a table and as a spreadsheet."""
    rows: list[list[str | float]] = [
        [f"case{number:02d}", reader, positive_of(number) / 2 + (number % off)]
        for number in range(CASES)
        for reader, off in (("Ann", 2), ("Bob", 3))
    ]
    for name in ("reads.csv", "reads.xlsx"):
        write_rows(folder / name, ["case", "reader", "value"], rows)


def positive_of(number: int) -> int:
    """Return how many of the 200 tumour cells of a case are positive."""
    return 0 if number % 3 == 0 else number


def faintly_stained(positive: int) -> CellTable:
    """Return 200 tumour cells, some positive with a probability that the threshold of 0.5 misses."""
    table = many({"T+": positive, "T-": 200 - positive})
    columns = table.columns()
    stained = np.where(columns["stained"] >= 0.5, 0.35, 0.02).astype(np.float32)
    return CellTable.from_columns(table.facts, **{**columns, "stained": stained})


def _write_patients(folder: Path) -> None:
    shutil.copy(ROOT / "configs/profile/worked_case.toml", folder / "profile.toml")
    shutil.copytree(ROOT / "configs/therapy", folder / "mycriteria")
    calls = missense_calls(folder)
    (folder / "calls.vcf.gz").write_bytes(gzip.compress(calls.read_bytes()))
    (folder / "panel.bed").write_text("chr1\t0\t1000000\n", encoding="utf-8")
    table = maf(folder, *(maf_row(100 + at, sample=name) for name in ("S1", "S2") for at in range(5)))
    (folder / "cohort.maf.gz").write_bytes(gzip.compress(table.read_bytes()))


def _write_what_other_tools_left(folder: Path) -> None:
    """Write a QuPath project of the slide, and models as they are after training."""
    (folder / "project").mkdir()
    project = folder / "project" / "project.qpproj"
    uri = (folder / "slide.svs").as_uri()
    image = {
        "serverBuilder": {"builderType": "uri", "providerClassName": "openslide", "uri": uri, "args": []},
        "entryID": 1,
        "imageName": "slide.svs",
        "metadata": {},
    }
    stated = {"version": "0.5.1", "createTimestamp": 1, "uri": project.as_uri(), "images": [image]}
    project.write_text(json.dumps(stated), encoding="utf-8")
    for name in ("small", "mine"):
        shutil.copytree(ROOT / "models" / "small", folder / "models" / name)


def answer_the_audit(folder: Path) -> None:
    """Fill in the table of answers: every cell is tumour, and none is stained."""
    (empty,) = (folder / RESULT).glob("review/*/answers.csv")
    with empty.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["class"] = "tumour"
        row["stained"] = "no" if row.get("asks_stained") != "no" else ""
    with (folder / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def offer_slides_to_readers(folder: Path) -> None:
    """Put into `slides/` as many slides, named like the cases that have a result, as a study needs."""
    shutil.rmtree(folder / "slides")
    (folder / "slides").mkdir()
    for number in range(CASES_READ):
        shutil.copy(folder / "slide.svs", folder / "slides" / f"case{number:02d}.svs")


def let_readers_read(folder: Path) -> None:
    """Let all readers of the study read everything, each a little differently, closer when aided."""
    study = read_study(folder / "study")
    readers = [reader.id for reader in study.design.readers]

    def read(reader: str, given: Assignment) -> Mapping[str, Any]:
        number = int(given.slide.removeprefix("case"))
        return answer(number / 2 + (readers.index(reader) * number % 3) / (2 if given.round == 1 else 4))

    read_by_all(study, read)


def score_the_dicom_series(folder: Path) -> None:
    """Make the result of the slide that of its DICOM form."""
    series = folder / "series" / "level_0.dcm"
    cxpath.score_slide(series, folder / RESULT, assay="22c3", device="cpu", overwrite=True)


def restore_result(folder: Path) -> None:
    """Make the result of the slide what the network made of it, whatever commands left there."""
    shutil.rmtree(folder / RESULT, ignore_errors=True)
    shutil.copytree(folder / KEPT, folder / RESULT)
