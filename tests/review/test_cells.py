from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, strategies as st

from cxpath.data.cells import CellTable, Kind, Subkind, TissueRegion
from cxpath.review.cells import (
    frame_of_audit,
    frame_to_draw,
    inside_regions,
    region_outline,
    regions_of,
    reviewed_cells,
)
from cxpath.review.events import ReviewError
from cxpath.review.state import Audit, ReviewState
from cxpath.scores import AuditError, ScoringSettings, draw_audit, estimate_audit
from cxpath.scores.score import score_cells
from scripts.studies.measure_audit import NETWORKS, KnownSlide, simulate_slide, simulated_answers
from tests.review.reviewed import SCORING, SIDE_PX, THRESHOLD, random_state, small_slide

NETWORK = small_slide()
PLACE = {"x_px": 10.0, "y_px": 20.0}


def test_without_decisions_the_table_is_the_network_s() -> None:
    found = reviewed_cells(NETWORK, ReviewState(), THRESHOLD, SCORING.field_um)
    table, by_person = found.to_score()
    assert table == NETWORK
    assert not by_person.any()


def test_an_edited_cell_is_certain() -> None:
    row = int(np.flatnonzero(NETWORK.kind == Kind.OTHER)[0])
    state = ReviewState(edits={row: {"class": "immune", "stained": True}})
    found = reviewed_cells(NETWORK, state, THRESHOLD, SCORING.field_um)
    table = found.table
    assert (table.kind[row], table.stained[row]) == (Kind.IMMUNE, 1.0)
    assert (table.p_tumour[row], table.p_immune[row], table.p_other[row]) == (0.0, 1.0, 0.0)
    assert np.flatnonzero(found.by_person).tolist() == [row]
    untouched = np.arange(len(NETWORK)) != row
    assert table.take(untouched) == NETWORK.take(untouched)


def test_an_edited_cell_keeps_its_embedding_and_an_added_one_has_none() -> None:
    number = len(NETWORK)
    network = replace(NETWORK, embedding=np.full((number, 16), 9, np.uint8))
    state = ReviewState(
        edits={0: {"class": "immune", "stained": True}, number: {"class": "tumour", "stained": False} | PLACE}
    )
    table = reviewed_cells(network, state, THRESHOLD, SCORING.field_um).table
    assert table.embedded.tolist() == [True] * number + [False]


def test_a_confirmed_call_counts_as_a_person_s() -> None:
    row = int(np.flatnonzero((NETWORK.kind == Kind.TUMOUR) & (NETWORK.region != TissueRegion.NECROSIS))[0])
    stained = bool(NETWORK.stained[row] >= THRESHOLD)
    said: dict[str, object] = {"class": "tumour", "stained": stained}
    unconfirmed = reviewed_cells(NETWORK, ReviewState(edits={row: said}), THRESHOLD, SCORING.field_um)
    assert not unconfirmed.by_person.any()  # an edit that was taken back says what is so
    confirmed = ReviewState(edits={row: said | {"confirmed": True}})
    found = reviewed_cells(NETWORK, confirmed, THRESHOLD, SCORING.field_um)
    assert np.flatnonzero(found.by_person).tolist() == [row]
    assert found.table.subkind[row] == NETWORK.subkind[row]


def test_a_person_who_names_a_tumour_cell_in_necrosis_has_said_that_it_counts() -> None:
    dead = (NETWORK.region == TissueRegion.NECROSIS) & (NETWORK.stained >= THRESHOLD)
    row = int(np.flatnonzero(dead)[0])
    as_tumour = ReviewState(edits={row: {"class": "tumour", "stained": False}})
    as_other = ReviewState(edits={row: {"class": "other", "stained": False}})
    counted = reviewed_cells(NETWORK, as_tumour, THRESHOLD, SCORING.field_um)
    uncounted = reviewed_cells(NETWORK, as_other, THRESHOLD, SCORING.field_um)
    assert counted.table.region[row] == TissueRegion.UNKNOWN
    assert uncounted.table.region[row] == TissueRegion.NECROSIS


def test_another_class_forgets_the_kind_of_immune_cell() -> None:
    lymphocytes = replace(NETWORK, subkind=np.full(len(NETWORK), Subkind.LYMPHOCYTE, dtype=np.uint8))
    row = int(np.flatnonzero(NETWORK.kind == Kind.OTHER)[0])
    state = ReviewState(edits={row: {"class": "immune", "stained": True}})
    found = reviewed_cells(lymphocytes, state, THRESHOLD, SCORING.field_um)
    assert found.table.subkind[row] == Subkind.UNKNOWN


def test_added_cells_follow_and_one_that_was_taken_back_keeps_its_number() -> None:
    number = len(NETWORK)
    edits = {number + 1: {"class": "tumour", "stained": True, **PLACE}}
    found = reviewed_cells(NETWORK, ReviewState(edits=edits), THRESHOLD, SCORING.field_um)
    assert len(found) == number + 2
    assert found.removed[number:].tolist() == [True, False]
    assert (found.table.x_px[number + 1], found.table.y_px[number + 1]) == (10.0, 20.0)
    assert len(found.to_score()[0]) == number + 1


def test_an_accepted_field_makes_its_cells_a_person_s_without_changing_them() -> None:
    found = reviewed_cells(NETWORK, ReviewState(fields=frozenset({0})), THRESHOLD, SCORING.field_um)
    side_px = SCORING.field_um / NETWORK.facts.mpp
    inside = (NETWORK.x_px < side_px) & (NETWORK.y_px < side_px)
    assert np.array_equal(found.accepted, inside)
    assert np.array_equal(found.table.kind, NETWORK.kind)
    sides = found.table.stained >= THRESHOLD, NETWORK.stained >= THRESHOLD
    assert np.array_equal(*sides)


@given(st.integers(0, 10_000))
def test_what_a_person_decided_moves_the_interval_and_never_the_count_of_the_others(seed: int) -> None:
    state = replace(random_state(NETWORK, np.random.default_rng(seed)), edits={}, regions={})
    found = reviewed_cells(NETWORK, state, THRESHOLD, SCORING.field_um)
    table, by_person = found.to_score()
    after, before = score_cells(table, SCORING, by_person=by_person), score_cells(NETWORK, SCORING)
    assert after.cps is not None
    assert before.cps is not None
    assert after.cps.value == before.cps.value


def test_regions_decide_by_their_use() -> None:
    ring = [[0, 0], [3000, 0], [3000, 3000], [0, 3000]]
    left = {1: {"use": "include", "points": ring}}
    hole = {2: {"use": "not invasive tumour", "points": [[0, 0], [900, 0], [900, 900], [0, 900]]}}
    inside = (NETWORK.x_px < 3000) & (NETWORK.y_px < 3000)
    within = inside_regions(NETWORK, regions_of(ReviewState(regions=left)))
    assert np.array_equal(within, inside)
    both = inside_regions(NETWORK, regions_of(ReviewState(regions={**left, **hole})))
    assert np.array_equal(both, inside & ~((NETWORK.x_px < 900) & (NETWORK.y_px < 900)))


def test_known_places_inside_are_used_and_added_cells_looked_up() -> None:
    state = ReviewState(
        edits={len(NETWORK): {"class": "tumour", "stained": True, **PLACE}},
        regions={1: {"use": "exclude", "points": [[0, 0], [100, 0], [100, 100], [0, 100]]}},
    )
    known = inside_regions(NETWORK, regions_of(state))
    quick = reviewed_cells(NETWORK, state, THRESHOLD, SCORING.field_um, known)
    slow = reviewed_cells(NETWORK, state, THRESHOLD, SCORING.field_um)
    assert np.array_equal(quick.inside, slow.inside)
    assert not quick.inside[-1]


def test_a_line_that_crosses_itself_encloses_both_loops() -> None:
    bow_tie = [[0, 0], [100, 100], [100, 0], [0, 100]]
    assert region_outline(bow_tie).area == pytest.approx(5_000)


@pytest.mark.parametrize(
    "points",
    [[[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], [[0, 0], ["x", 1], [2, 2]], [[0, 0, 0]], None, [[1], [2]]],
)
def test_a_line_that_encloses_nothing_is_no_region(points: object) -> None:
    with pytest.raises(ReviewError, match="region"):
        region_outline(points)


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ({3: {"class": "stroma", "stained": True}}, "stroma"),
        ({3: {"stained": True}}, "None"),
        ({3: {"class": "tumour"}}, "states the staining None"),
        ({3: {"class": "tumour", "stained": "yes"}}, "states the staining 'yes'"),
        ({len(NETWORK): {"class": "tumour", "stained": True}}, "without a place"),
    ],
)
def test_an_edit_that_says_nothing_is_refused(edits: dict[int, dict[str, object]], why: str) -> None:
    with pytest.raises(ReviewError, match=why):
        reviewed_cells(NETWORK, ReviewState(edits=edits), THRESHOLD, SCORING.field_um)


def test_a_region_of_unknown_use_is_refused() -> None:
    ring = [[0, 0], [SIDE_PX, 0], [SIDE_PX, SIDE_PX]]
    with pytest.raises(ReviewError, match="necrosis"):
        regions_of(ReviewState(regions={1: {"use": "necrosis", "points": ring}}))


def test_outlines_keep_their_area() -> None:
    assert region_outline([[0, 0], [10, 0], [10, 10], [0, 10]]).equals(shapely.box(0, 0, 10, 10))


# Regions and the audit.


SETTINGS = ScoringSettings(stained_threshold=0.6)


def _half(cells: CellTable, use: str = "include") -> dict[str, Any]:
    """Return a region that covers the left half of the slide."""
    width, height = cells.facts.width_px / 2, cells.facts.height_px
    return {"use": use, "points": [[0, 0], [width, 0], [width, height], [0, height]]}


@pytest.fixture(scope="module")
def known() -> KnownSlide:
    return simulate_slide(15.0, NETWORKS["restained"], 8_000, np.random.default_rng(2))


def test_an_audit_is_drawn_where_to_score_by_the_regions(known: KnownSlide) -> None:
    state = ReviewState(regions={3: _half(known.cells)})
    frame = frame_to_draw(known.cells, SETTINGS, state)
    left = known.cells.x_px < known.cells.facts.width_px / 2
    assert (frame.inside == left).all()
    assert left[list(draw_audit(frame, 60).rows)].all()


def test_answers_inside_a_region_drawn_later_speak_for_that_region(known: KnownSlide) -> None:
    draw = draw_audit(frame_to_draw(known.cells, SETTINGS, ReviewState()), 600, seed=4)
    left = known.cells.x_px < known.cells.facts.width_px / 2
    one_sided = replace(known, stained=known.stained & left)
    answers = simulated_answers(one_sided, draw, 0.0, np.random.default_rng(1))
    for use, inside in (("include", left), ("exclude", ~left)):
        state = ReviewState(audit=Audit(draw, ()), regions={1: _half(known.cells, use)})
        score = estimate_audit(frame_of_audit(known.cells, SETTINGS, state), draw, answers)
        counted = one_sided.stained & (known.kind != Kind.OTHER) & inside
        true = 100.0 * counted.sum() / ((known.kind == Kind.TUMOUR) & inside).sum()
        assert score.interval[0] <= true <= score.interval[1]
        assert score.answered == sum(inside[row] for row in draw.rows)


def test_a_region_that_adds_cells_nobody_could_draw_ends_the_audited_score(known: KnownSlide) -> None:
    half = _half(known.cells)
    frame = frame_to_draw(known.cells, SETTINGS, ReviewState(regions={1: half}))
    audit = Audit(draw_audit(frame, 60), (), (half,))
    same = frame_of_audit(known.cells, SETTINGS, ReviewState(audit=audit, regions={7: half}))
    assert (same.stratum == frame.stratum).all()
    with pytest.raises(AuditError, match="regions were enlarged"):
        frame_of_audit(known.cells, SETTINGS, ReviewState(audit=audit))
    with pytest.raises(AuditError, match="there is no audit"):
        frame_of_audit(known.cells, SETTINGS, ReviewState())
