"""A small scored slide whose every cell's truth is known, and a reader who answers by it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from cxpath.app.review_folder import ReviewFolder, open_review
from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.review.state import Audit
from cxpath.slide.open import open_slide
from scripts.studies.measure_audit import NETWORKS, KnownSlide, simulate_slide
from tests.cli.scored_folders import scored_folder
from tests.report.run_folders import RUN

MPP = 0.5
SIDE_PX = 1_200


def known_cells(number: int = 4_000, seed: int = 3) -> KnownSlide:
    """Return cells within the picture below, as a network calls them, and the truth."""
    slide = simulate_slide(12.0, NETWORKS["restained"], number, np.random.default_rng(seed))
    facts = CellTableFacts(mpp=MPP, width_px=SIDE_PX, height_px=SIDE_PX, stained_threshold=0.5)
    side = slide.cells.facts.width_px
    columns = slide.cells.columns()
    for name in ("x_px", "y_px"):
        columns[name] = columns[name] / side * SIDE_PX
    return KnownSlide(CellTable(facts, **columns), slide.kind, slide.stained)


def with_other_kinds(known: KnownSlide, rows: list[int]) -> CellTable:
    """Return the cells with the class of some changed by a person."""
    kind = known.cells.kind.copy()
    kind[rows] = np.where(kind[rows] == Kind.TUMOUR, Kind.OTHER, Kind.TUMOUR)
    return replace(known.cells, kind=kind)


def scored_slide(folder: Path) -> tuple[Path, Path, KnownSlide]:
    """Return a picture, its results folder and the truth of its cells."""
    picture = folder / "slide.png"
    pixels = np.random.default_rng(1).integers(120, 250, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    known = known_cells()
    results = scored_folder(folder / "out", known.cells)
    with open_slide(picture, MPP) as slide:
        info = slide.info
    facts = {"name": info.name, "digest": info.digest, "mpp": MPP, "width_px": SIDE_PX, "height_px": SIDE_PX}
    score = json.loads((results / "score.json").read_text())
    score["slide"] |= facts
    (results / "score.json").write_text(json.dumps(score))
    run = RUN | {"slide": RUN["slide"] | facts | {"bounds_px": [0, 0, SIDE_PX, SIDE_PX]}}
    (results / "run.json").write_text(json.dumps(run))
    return picture, results, known


def drawn_audit(results: Path) -> tuple[ReviewFolder, Audit]:
    review = open_review(results)
    found = review.verified()
    assert found is not None
    assert found.state.audit is not None
    return review, found.state.audit


def fill_in(results: Path, known: KnownSlide, target: Path, delimiter: str = ",") -> Path:
    """Fill the table of answers in as a perfect reader does."""
    review, audit = drawn_audit(results)
    names = {Kind.TUMOUR: "tumour", Kind.IMMUNE: "immune", Kind.OTHER: "other"}
    rows = list(csv.DictReader(io.StringIO((review.path / "answers.csv").read_text())))
    for row, question in zip(rows, audit.draw.questions, strict=False):
        row["class"] = names[Kind(known.kind[question.row])]
        if question.asks_stained:
            row["stained"] = "yes" if known.stained[question.row] else "no"
    for row in rows[len(audit.draw.questions) :]:
        row |= {name: "0" for name in row if name.startswith("missed_")}
    with target.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return target
