"""A folder with everything that the documentation names, for its commands and examples to run in."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import cxpath
from cxpath.data.cells import CellTable, Kind
from cxpath.io.cells import read_cells
from cxpath.io.foreign_cells import write_h5ad
from cxpath.io.tables import write_rows
from cxpath.synth.slide import write_synthetic_slide
from tests.app.test_tmb import cohort as maf, maf_row, missense_calls
from tests.cell_tables import write_cells_geojson
from tests.cli.given_cells import as_qupath_table
from tests.cli.scored_folders import scored_folder
from tests.docs.pages import ROOT
from tests.slide.dicom_slides import write_dicom_series
from tests.synthetic_cells import many

SIDE_PX = 2048
RESULT = Path("cxpath-out/slide")


def furnish(folder: Path) -> None:
    """Write into a folder what a reader of the documentation has or has just made."""
    for name in ("configs", "models", "scripts", "src", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    _slides(folder)
    _cells(folder)
    _reads(folder)
    _patients(folder)
    _other_tools(folder)


def _slides(folder: Path) -> None:
    write_synthetic_slide(
        folder / "slide.svs", seed=3, cps=20, width_px=SIDE_PX, height_px=SIDE_PX, workers=1
    )
    cxpath.score_slide(folder / "slide.svs", folder / RESULT, assay="22c3", device="cpu")
    (folder / "slides").mkdir()
    for name in ("slide1", "slide2"):
        shutil.copy(folder / "slide.svs", folder / "slides" / f"{name}.svs")
    with cxpath.open_slide(folder / "slide.svs") as slide:
        Image.fromarray(slide.read(0, 0, 1100, 1100, 0.44)).save(folder / "core.jpg", quality=95)
        write_dicom_series(folder / "series", [slide.read(0, 0, SIDE_PX, SIDE_PX, 0.25)])
    _annotate(folder / "slide.geojson", "Tumor", 200, 200, SIDE_PX - 400)


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


def _cells(folder: Path) -> None:
    found = read_cells(folder / RESULT / "cells.parquet")
    bounds = (0, 0, SIDE_PX, SIDE_PX)
    edited = replace(
        found, kind=np.where(np.arange(len(found)) == 0, Kind.OTHER, found.kind).astype(np.uint8)
    )
    for name, cells in (("cells.geojson", found), ("corrected.geojson.gz", edited)):
        written = folder / f"{Path(name).stem.removesuffix('.geojson')}.geojson.gz"
        write_cells_geojson([cells], written, cells.facts, bounds, stained_threshold=0.5)
        if not name.endswith(".gz"):
            (folder / name).write_bytes(gzip.decompress(written.read_bytes()))
            written.unlink()
    as_qupath_table(found, folder / "measurements.tsv")


def _reads(folder: Path) -> None:
    """Sixty cases that two readers read at half of what is counted, and a result of each."""
    rows: list[list[str | float]] = []
    for number in range(60):
        case, positive = f"case{number:02d}", 0 if number % 3 == 0 else number
        scored_folder(folder / "cxpath-out" / case, faintly_stained(positive))
        rows += [[case, reader, positive / 2] for reader in ("Ann", "Bob")]
    for name in ("reads.csv", "reads.xlsx"):
        write_rows(folder / name, ["case", "reader", "value"], rows)
    for name in ("A1", "A2", "B1"):
        scored_folder(folder / "out" / name, many({"T+": 20, "T-": 180}))
    _field(folder / "field1.geojson", folder / "cxpath-out" / "slide1")


def _field(marked: Path, result: Path) -> None:
    """Write cells that a person marked, and a result with the same cells."""
    cells = many({"T+": 20, "T-": 180})
    scored_folder(result, cells)
    (own,) = [marked.with_suffix(".geojson.gz")]
    write_cells_geojson([cells], own, cells.facts, (0, 0, 100_000, 100_000), stained_threshold=0.5)
    marked.write_bytes(gzip.decompress(own.read_bytes()))
    own.unlink()


def faintly_stained(positive: int) -> CellTable:
    """Return 200 tumour cells, some positive with a probability that the threshold of 0.5 misses."""
    table = many({"T+": positive, "T-": 200 - positive})
    columns = table.columns()
    stained = np.where(columns["stained"] >= 0.5, 0.35, 0.02).astype(np.float32)
    return CellTable.from_columns(table.facts, **{**columns, "stained": stained})


def _patients(folder: Path) -> None:
    shutil.copy(ROOT / "configs/profile/worked_case.toml", folder / "profile.toml")
    shutil.copytree(ROOT / "configs/therapy", folder / "mycriteria")
    calls = missense_calls(folder)
    (folder / "calls.vcf.gz").write_bytes(gzip.compress(calls.read_bytes()))
    (folder / "panel.bed").write_text("chr1\t0\t1000000\n", encoding="utf-8")
    table = maf(folder, *(maf_row(100 + at, sample=name) for name in ("S1", "S2") for at in range(5)))
    (folder / "cohort.maf.gz").write_bytes(gzip.compress(table.read_bytes()))


def _other_tools(folder: Path) -> None:
    (folder / "project").mkdir()
    uri = (folder / "slide.svs").as_uri()
    image = {
        "serverBuilder": {"builderType": "uri", "providerClassName": "openslide", "uri": uri, "args": []}
    }
    stated = {"version": "0.5.1", "createTimestamp": 1, "uri": (folder / "project/project.qpproj").as_uri()}
    stated["images"] = [image | {"entryID": 1, "imageName": "slide.svs", "metadata": {}}]
    (folder / "project" / "project.qpproj").write_text(json.dumps(stated), encoding="utf-8")
    shutil.copytree(ROOT / "models" / "small", folder / "mine")
    write_h5ad(read_cells(folder / RESULT / "cells.parquet"), folder / "cells.h5ad")


def answer_the_audit(folder: Path) -> None:
    """Fill in the table of answers: every cell is what the reader takes it for."""
    (empty,) = (folder / RESULT).glob("review/*/answers.csv")
    with empty.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["class"] = row["class"] or "tumour"
        row["stained"] = "no" if row.get("asks_stained") != "no" else ""
    with (folder / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
