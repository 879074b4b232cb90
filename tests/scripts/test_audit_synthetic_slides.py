"""The study itself draws whole slides and runs the network; here its reader and how answers are written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.scores import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer
from cxpath.synth.field import SyntheticCells
from cxpath.synth.slide import SlideTruth
from scripts.studies.audit_synthetic_slides import fill_answers, knowing_reader

KINDS = np.array([Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER], dtype=np.uint8)


@pytest.fixture
def known_truth() -> SlideTruth:
    """A stained tumour cell, an immune cell with stained cytoplasm, an unstained other one; 50 µm apart."""
    membrane, any_stain = np.array([True, False, False]), np.array([True, True, False])
    zeros = np.zeros(3, dtype=np.float32)
    place = np.array([100.0, 200.0, 300.0])
    cells = SyntheticCells(place, place, KINDS, KINDS * 0, membrane, any_stain, zeros, zeros)
    return SlideTruth(cells, 1, 0, 1, 0, 1, 100.0, 0.5)


def test_the_reader_answers_by_the_nearest_true_cell_within_reach(known_truth: SlideTruth) -> None:
    facts = CellTableFacts(mpp=0.5, width_px=400, height_px=400)
    place = np.array([103.0, 201.0, 300.0, 250.0])  # 3 px aside, and between two cells
    cells = CellTable.from_columns(facts, x_px=place, y_px=place, kind=np.zeros(4), stained=np.zeros(4))
    draw = AuditDraw(1, 0.1, tuple(AuditQuestion(row, 0, row != 2, False, 1.0) for row in range(4)))
    assert knowing_reader(known_truth, cells).answers(draw) == [
        AuditAnswer(0, CellAnswer.TUMOUR, stained=True),
        AuditAnswer(1, CellAnswer.IMMUNE, stained=True),
        AuditAnswer(2, CellAnswer.OTHER, stained=None),
        AuditAnswer(3, CellAnswer.NOT_A_CELL),
    ]


def test_answers_are_written_into_the_table_beside_the_sheet(tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    table.write_text("audit,id,class,asks_stained,stained\nA-1,C001,,yes,\nA-1,C002,,no,\n", encoding="utf-8")
    fill_answers(table, [AuditAnswer(7, CellAnswer.TUMOUR, stained=False), AuditAnswer(9, CellAnswer.OTHER)])
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["A-1", "C001", "tumour", "yes", "no"], ["A-1", "C002", "other", "no", ""]]
    with pytest.raises(ValueError, match=r"longer|shorter"):
        fill_answers(table, [AuditAnswer(7, CellAnswer.OTHER)])
