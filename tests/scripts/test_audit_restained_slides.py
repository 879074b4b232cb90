"""The study itself runs the network; here what it takes as the truth."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.scores import AuditDraw, AuditQuestion, CellAnswer, MissedSquare, audit_frame
from scripts.studies.audit_synthetic_slides import Drawing, KnowingReader, audited, nearest_true
from scripts.studies.measure_audit import NETWORKS, SETTINGS, simulate_slide


def test_the_cps_of_a_reader_counts_stained_tumour_and_immune_cells() -> None:
    kind = np.array([Kind.TUMOUR] * 4 + [Kind.IMMUNE] * 3 + [Kind.OTHER] * 2, dtype=np.int64)
    stained = np.array([1, 0, 0, 0, 1, 1, 0, 1, 1], dtype=bool)
    reader = KnowingReader(kind, stained, np.zeros((9, 2)), np.array([0, 1, 4, -1]))
    assert reader.cps(found=False) == pytest.approx(100.0 * 3 / 4)
    assert reader.cps(found=True) == 100.0


def test_a_reader_counts_in_a_square_what_the_detector_missed() -> None:
    kind = np.array([Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.TUMOUR, Kind.OTHER], dtype=np.int64)
    stained = np.array([1, 0, 1, 1, 1], dtype=bool)
    places = np.array([[5.0, 5.0], [6.0, 6.0], [7.0, 7.0], [500.0, 5.0], [8.0, 8.0]])
    reader = KnowingReader(kind, stained, places, np.array([1, -1]))
    (square,) = reader.squares([MissedSquare(0.0, 0.0, 100.0)])
    assert (square.tumour_stained, square.tumour_unstained, square.immune_stained) == (1, 0, 1)


def test_a_found_cell_without_a_true_one_within_reach_is_no_cell() -> None:
    facts = CellTableFacts(mpp=0.5, width_px=400, height_px=400)
    cells = CellTable.from_columns(facts, x_px=[10.0, 60.0], y_px=[10.0, 10.0], kind=[0, 0], stained=[0, 0])
    true_cell = nearest_true(np.array([[12.0, 10.0]]), cells)
    assert true_cell.tolist() == [0, -1]
    reader = KnowingReader(np.array([Kind.IMMUNE]), np.array([True]), np.array([[12.0, 10.0]]), true_cell)
    draw = AuditDraw(1, 0.1, tuple(AuditQuestion(row, 0, True, False, 1.0) for row in range(2)))
    answers = reader.answers(draw)
    assert [one.answer for one in answers] == [CellAnswer.IMMUNE, CellAnswer.NOT_A_CELL]
    assert answers[0].stained is True


def test_a_reader_who_knows_every_cell_is_covered() -> None:
    slide = simulate_slide(20.0, NETWORKS["restained"], 8_000, np.random.default_rng(3))
    places = np.column_stack([slide.cells.x_px, slide.cells.y_px]).astype(np.float64)
    reader = KnowingReader(slide.kind, slide.stained, places, np.arange(len(slide.cells)))
    frame = audit_frame(slide.cells, SETTINGS)
    found, error, bias, covered, of_all = (
        float(one) for one in audited(frame, reader, Drawing(200, 4, 10)).split(" | ")
    )
    assert found == pytest.approx(slide.cps, abs=0.01)
    assert abs(bias) <= error < 0.3
    assert min(covered, of_all) >= 0.5
