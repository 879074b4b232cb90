from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.review.sign import verify_record
from cxpath.scores.score import score_cells
from cxpath.slide.open import open_slide
from cxpath.viewer.canvas import HIDDEN, Flag
from cxpath.viewer.session import ReviewSession
from tests.app.reviewed_slides import MPP, SIDE_PX
from tests.viewer.reviews import READER, Page, Scored, answer_all, opened, scored


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """A scored picture that no test changes."""
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def slide(scored_once: Scored, tmp_path: Path) -> Scored:
    """A scored picture with a results folder of this test's own."""
    return scored_once.copied(tmp_path / "out")


@pytest.fixture
def page(slide: Scored) -> Iterator[Page]:
    """An open review of it, by a reader whose name is known."""
    with opened(slide.results, slide.picture) as page:
        yield page


# What a page reads first.


def test_the_slide_s_levels_cover_it_down_to_one_screen(page: Page) -> None:
    slide = page.get("/api/slide")
    assert (slide["width_px"], slide["height_px"], slide["mpp"]) == (SIDE_PX, SIDE_PX, MPP)
    coarsest = slide["levels"][-1]
    assert max(coarsest["width_px"], coarsest["height_px"]) <= 1024
    for level in slide["levels"]:
        assert level["across"] * level["tile_width_px"] >= level["width_px"]


def test_tiles_show_the_slide_and_end_where_it_ends(page: Page, slide: Scored) -> None:
    level = page.get("/api/slide")["levels"][0]
    right = level["across"] - 1
    tile = np.asarray(Image.open(io.BytesIO(page.picture(f"/tiles/0/{right}_0.jpg"))))
    assert tile.shape[1] == SIDE_PX - right * level["tile_width_px"]
    with open_slide(slide.picture, MPP) as opened_slide:
        own = opened_slide.read(right * level["tile_width_px"], 0, tile.shape[1], tile.shape[0], MPP)
    assert abs(tile.mean() - own.mean()) < 2.0


@pytest.mark.parametrize(
    "path", ["/tiles/0/99_0.jpg", "/tiles/7/0_0.jpg", "/tiles/0/-1_0.jpg", "/api/nothing", "/static/../x"]
)
def test_what_is_not_there_is_not_found(page: Page, path: str) -> None:
    assert page.get(path, 404)["error"]["code"] == "not_found"


def test_a_tile_is_sent_once(page: Page) -> None:
    first = page.client.get("/tiles/0/0_0.jpg")
    again = page.client.get("/tiles/0/0_0.jpg", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert "private" in again.headers["cache-control"]


def test_the_page_s_files_are_those_of_its_folder_alone(slide: Scored) -> None:
    static = slide.results / "page"
    (static / "vendor").mkdir(parents=True)
    (static / "index.html").write_text("<p>review</p>")
    (static / "vendor" / "viewer.js").write_text("1")
    with opened(slide.results, slide.picture, static=static) as page:
        assert page.client.get("/").text == "<p>review</p>"
        script = page.client.get("/static/vendor/viewer.js")
        assert script.headers["content-type"].startswith("text/javascript")
        for name in ("../score.json", "%2e%2e/score.json", "..%2fscore.json", "/etc/passwd", "vendor"):
            assert page.client.get(f"/static/{name}").status_code == 404


# Edits.


def test_an_edit_is_scored_as_score_cells_scores_the_edited_table(page: Page) -> None:
    ids = list(range(40))
    state = page.post("/api/edit", {"ids": ids, "class": "tumour", "stained": True})["state"]
    session = page.session
    table, by_person = session.cells.to_score()
    whole = score_cells(table, session.settings, session.cutoffs, by_person=by_person)
    assert whole.cps is not None
    assert whole.counts is not None
    edited = state["edited"]
    assert edited["cps"] == whole.cps.value
    assert tuple(edited["interval"]) == whole.cps.interval_tissue
    assert (edited["tumour"], edited["positive"]) == (whole.counts.tumour, whole.counts.positive)
    assert edited["changed"] == 40
    sides = [cutoff["edited"]["decision"] for cutoff in state["cutoffs"]]
    assert sides == [verdict.decision.value for verdict in whole.cps.cutoffs]


def test_an_edit_comes_back_as_a_patch_of_exactly_its_cells(page: Page) -> None:
    before = page.cells()
    changes = page.post("/api/edit", {"ids": [7, 9], "class": "not a cell"})["changes"]
    assert [cell[:2] for cell in changes["cells"]] == [[7, 3], [9, 3]]
    class_of, flags = before.class_of.copy(), before.flags.copy()
    for cell, kind, flag, _x, _y in changes["cells"]:
        class_of[cell], flags[cell] = kind, flag
    after = page.cells()
    assert np.array_equal(class_of, after.class_of)
    assert np.array_equal(flags, after.flags)
    assert after.events == changes["events"]


def test_staining_is_toggled_and_the_class_kept(page: Page) -> None:
    before = page.get("/api/cells/5")
    page.post("/api/edit", {"ids": [5], "toggle_stained": True})
    after = page.get("/api/cells/5")
    assert after["stained"] is not before["stained"]
    assert after["class"] == before["class"]
    assert after["network"]["stained"] is before["stained"]
    assert after["edited"]


def test_one_edit_states_a_call_for_each_cell_and_one_undo_takes_it_back(page: Page) -> None:
    start = page.cells()
    calls = [{"class": "other", "stained": False}, {"class": "tumour", "stained": True}]
    state = page.post("/api/edit", {"ids": [9, 4], "calls": calls})["state"]
    assert state["last"]["text"] == "2 cells edited"
    stated = [page.get(f"/api/cells/{cell}") for cell in (9, 4)]
    assert [(one["class"], one["stained"]) for one in stated] == [("other", False), ("tumour", True)]
    assert page.post("/api/undo")["state"]["edited"] is None
    assert np.array_equal(page.cells().flags, start.flags)


def test_one_undo_takes_a_whole_lasso_back_and_undo_goes_back_to_the_start(page: Page) -> None:
    start = page.cells()
    page.post("/api/edit", {"ids": list(range(100)), "class": "other"})
    page.post("/api/edit", {"ids": [3], "class": "tumour", "stained": True})
    page.post("/api/fields/accept", {"number": page.get("/api/fields")["fields"][0]["number"]})
    for _ in range(3):
        state = page.post("/api/undo")["state"]
    assert state["edited"] is None
    assert state["undo"] is None
    assert np.array_equal(page.cells().class_of, start.class_of)
    assert np.array_equal(page.cells().flags, start.flags)
    assert page.post("/api/undo", status=409)["error"]["message"] == "there is nothing to undo"


def test_a_missed_cell_is_added_edited_and_taken_back(page: Page) -> None:
    known = page.get("/api/slide")["cells"]
    added = page.post("/api/add", {"x_px": 30.5, "y_px": 40.25, "class": "tumour", "stained": True})
    assert added["id"] == known
    assert added["state"]["edited"]["added"] == 1
    assert added["changes"]["cells"] == [[known, 0, Flag.STAINED | Flag.EDITED | Flag.ADDED, 30.5, 40.25]]
    page.post("/api/edit", {"ids": [known], "class": "immune"})
    cell = page.get(f"/api/cells/{known}")
    assert (cell["class"], cell["x_px"], cell["network"]) == ("immune", 30.5, None)
    page.post("/api/edit", {"ids": [known], "class": "not a cell"})
    assert page.get(f"/api/cells/{known}")["class"] == "not a cell"
    for _ in range(3):
        last = page.post("/api/undo")
    assert last["changes"]["reload"]
    assert page.cells().cells == known


def test_the_last_action_says_what_it_changed(page: Page) -> None:
    before = page.get("/api/state")["network"]["cps"]
    last = page.post("/api/edit", {"ids": list(range(300)), "class": "tumour", "stained": True})["state"][
        "last"
    ]
    assert last["text"] == "300 cells: tumour, stained"
    assert last["before"] == pytest.approx(before)
    assert last["after"] > before


OTHER = {"class": "other", "stained": False}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("edit", {"ids": []}, 400, "bad_request"),
        ("edit", {"ids": [1]}, 400, "bad_request"),
        ("edit", {"ids": [1], "class": "stroma"}, 400, "bad_request"),
        ("edit", {"ids": [1], "class": "tumour", "colour": 1}, 400, "bad_request"),
        ("edit", {"ids": ["1"], "class": "tumour"}, 400, "bad_request"),
        ("edit", {"ids": [10**9], "class": "tumour"}, 404, "not_found"),
        ("edit", {"ids": [1, 2], "calls": [OTHER]}, 400, "bad_request"),
        ("edit", {"ids": [1, 1], "calls": [OTHER, OTHER]}, 400, "bad_request"),
        ("edit", {"ids": [1], "class": "tumour", "calls": [OTHER]}, 400, "bad_request"),
        ("add", {"x_px": -5, "y_px": 1, "class": "tumour", "stained": True}, 400, "bad_request"),
        ("add", {"x_px": 5, "y_px": 1, "class": "not a cell", "stained": True}, 400, "bad_request"),
        ("audit/answer", {"number": 1, "class": "tumour"}, 409, "conflict"),
        ("fields/accept", {"number": 10**6}, 404, "not_found"),
        ("regions/add", {"use": "include", "points": [[1, 1], [2, 2]]}, 400, "bad_request"),
        ("regions/add", {"use": "include", "points": [[1, 1], [2, 2], [3, 3]]}, 409, "conflict"),
        ("regions/remove", {"number": 4}, 404, "not_found"),
        ("undo", {"event": 99}, 409, "conflict"),
        ("sign", {"meaning": "fine"}, 400, "bad_request"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_recorded(
    page: Page, path: str, body: dict[str, object], status: int, code: str
) -> None:
    error = page.post(f"/api/{path}", body, status)["error"]
    assert error["code"] == code
    assert error["message"]
    assert page.get("/api/state")["events"] == 0


def test_a_body_that_is_no_json_is_refused(page: Page) -> None:
    answer = page.client.post(
        "/api/edit", content=b"{", headers=page.headers | {"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_decisions_wait_for_a_name(slide: Scored) -> None:
    with opened(slide.results, slide.picture, reviewer=None) as page:
        refused = page.post("/api/edit", {"ids": [1], "class": "tumour"}, 409)
        assert refused["error"]["code"] == "reviewer_needed"
        assert page.post("/api/reviewer", {"name": "  Dr B \n"})["reviewer"] == "Dr B"
        page.post("/api/edit", {"ids": [1], "class": "tumour"})
        assert page.session.events[-1].actor == "Dr B"
        assert page.post("/api/reviewer", {"name": "Dr C"}, 409)["error"]["code"] == "conflict"
        assert page.post("/api/reviewer", {"name": "cxpath"}, 400)["error"]["code"] == "bad_request"


# The audit.


def test_no_answer_of_the_server_tells_the_call_of_an_audited_cell_before_all_are_answered(
    page: Page,
) -> None:
    page.post("/api/audit/draw", {"cells": 30, "squares": 2})
    audit = page.session.state.audit
    assert audit is not None
    ids = page.session.grid.ids_of(np.array(audit.draw.rows))
    for number in range(1, len(ids) + 1):
        document = page.get("/api/audit")
        assert all(set(one) == {"number", "asks_stained", "answer"} for one in document["questions"])
        if number in {1, 15, len(ids)}:
            require_blind(page, ids)
        page.post("/api/audit/answer", {"number": number, "class": "tumour", "stained": number % 2 == 0})
    assert (page.cells().class_of[ids] != HIDDEN).all()


def require_blind(page: Page, ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Look at everything that the server says of cells: the drawn ones must be hidden in it."""
    cells = page.cells()
    assert (cells.class_of[ids] == HIDDEN).all()
    assert (cells.flags[ids] & (Flag.STAINED | Flag.NEAR_THRESHOLD) == 0).all()
    patch = {cell[0]: cell[1] for cell in page.get("/api/changes?since=0")["cells"]}
    assert all(patch.get(cell, HIDDEN) == HIDDEN for cell in ids.tolist())
    shown = {cell["id"] for cell in page.get("/api/gallery?count=256")["cells"]}
    assert not shown & set(ids.tolist())
    cell = int(ids[0])
    assert page.get(f"/api/cells/{cell}", 409)["error"]["code"] == "conflict"
    refused = page.post("/api/edit", {"ids": ids.tolist(), "class": "tumour"}, 409)
    assert "audit" in refused["error"]["message"]
    line = json.dumps(page.get("/api/state"))
    assert not any(word in line for word in ("tumour stained", "immune stained", "x_px"))


def test_a_question_is_a_picture_around_its_cell(page: Page, slide: Scored) -> None:
    page.post("/api/audit/draw", {"cells": 20, "squares": 1})
    small = Image.open(io.BytesIO(page.picture("/audit/1.jpg?um=64&px=128")))
    assert small.size == (128, 128)
    assert Image.open(io.BytesIO(page.picture("/audit/squares/1.jpg?px=300"))).size == (300, 300)
    assert page.get("/audit/99.jpg", 404)["error"]["code"] == "not_found"
    assert page.get("/audit/1.jpg?um=9000", 400)["error"]["code"] == "bad_request"


def test_a_perfect_reader_gets_an_audited_score_whose_interval_holds_the_truth(
    page: Page, slide: Scored
) -> None:
    drawn = page.post("/api/audit/draw", {"cells": 100, "squares": 3})["state"]
    assert drawn["audit"] | {"name": ""} == {
        "name": "", "seed": 1, "questions": 100, "answered": 0, "squares": 3, "squares_answered": 0,
        "complete": False,
    }  # fmt: skip
    assert drawn["wanted"]["left"] == 100
    answer_all(page, slide.known)
    state = page.get("/api/state")
    known = slide.known
    truth = 100 * (known.stained & (known.kind != 2)).sum() / (known.kind == 0).sum()
    low, high = state["audited"]["interval"]
    assert low <= truth <= high
    assert state["audit"]["complete"]
    assert state["audited"]["n"] == 100
    assert state["network"]["cps"] != state["audited"]["cps"]
    assert all(
        cutoff["audited"]["decision"] in {"met", "not met", "uncertain"} for cutoff in state["cutoffs"]
    )


def test_another_seed_draws_another_audit_and_the_same_keeps_it(page: Page) -> None:
    page.post("/api/audit/draw", {"cells": 20})
    first = page.get("/api/audit")["name"]
    page.post("/api/audit/answer", {"number": 1, "class": "other"})
    assert page.post("/api/audit/draw", {"cells": 20})["state"]["audit"]["name"] == first
    again = page.post("/api/audit/draw", {"cells": 20, "seed": 2})["state"]["audit"]
    assert again["name"] != first
    assert again["answered"] == 0


def test_staining_must_be_answered_where_it_is_asked(page: Page) -> None:
    page.post("/api/audit/draw", {"cells": 20})
    asked = next(one for one in page.get("/api/audit")["questions"] if one["asks_stained"])
    body = {"number": asked["number"], "class": "tumour"}
    assert page.post("/api/audit/answer", body, 400)["error"]["code"] == "bad_request"
    page.post("/api/audit/answer", body | {"stained": False, "shown_ms": 1_200})
    assert page.session.events[-1].shown_ms == 1_200
    assert page.get("/api/audit")["questions"][asked["number"] - 1]["answer"] == {
        "class": "tumour", "stained": False,
    }  # fmt: skip


# Fields, gallery, regions.


def test_fields_come_in_the_order_in_which_they_move_the_score(page: Page) -> None:
    fields = page.get("/api/fields")["fields"]
    influence = [abs(field["influence"]) for field in fields if field["influence"] is not None]
    assert influence == sorted(influence, reverse=True)
    assert sum(field["cells"] for field in fields) <= page.get("/api/slide")["cells"]


def test_an_accepted_field_narrows_the_interval_and_moves_nothing(page: Page) -> None:
    network = page.get("/api/state")["network"]
    for field in page.get("/api/fields")["fields"]:
        state = page.post("/api/fields/accept", {"number": field["number"]})["state"]
    edited = state["edited"]
    assert edited["cps"] == network["cps"]
    low, high = edited["interval_slide"]
    assert high - low < network["interval_slide"][1] - network["interval_slide"][0]
    assert all(field["accepted"] for field in page.get("/api/fields")["fields"])


def test_the_gallery_shows_doubtful_cells_that_no_person_decided(page: Page) -> None:
    shown = page.get("/api/gallery?count=48")["cells"]
    assert len(shown) == 48
    doubts = [cell["uncertainty"] for cell in shown]
    assert doubts == sorted(doubts, reverse=True)
    ids = [cell["id"] for cell in shown]
    page.post("/api/edit", {"ids": ids, "class": "tumour"})
    again = {cell["id"] for cell in page.get("/api/gallery?count=48")["cells"]}
    assert not again & set(ids)
    assert page.picture(shown[0]["crop"])


def test_a_region_scores_again_and_its_file_reads_back(page: Page) -> None:
    ring = [[0, 0], [SIDE_PX / 2, 0], [SIDE_PX / 2, SIDE_PX], [0, SIDE_PX]]
    added = page.post("/api/regions/add", {"use": "exclude", "points": ring})
    cells = page.cells()
    outside = cells.flags & Flag.OUTSIDE > 0
    assert np.array_equal(outside, cells.x_px < SIDE_PX / 2)
    assert added["state"]["edited"]["regions"] == 1
    assert page.get("/api/regions")["regions"][0]["points"] == ring
    page.post("/api/save")
    assert (page.session.review.path / "regions.geojson").is_file()
    page.post("/api/regions/remove", {"number": added["number"]})
    assert page.get("/api/state")["edited"] is None


def test_layers_are_computed_from_what_holds(page: Page) -> None:
    before = page.get("/api/layers/heatmap")
    page.post("/api/edit", {"ids": list(range(200)), "class": "not a cell"})
    after = page.get("/api/layers/heatmap")
    assert sum(after["tumour"]) < sum(before["tumour"])
    assert len(after["cps"]) == after["columns"] * after["rows"]
    assert page.get("/api/layers/tissue")["polygons"] is not None


# Two pages, a crash, a signature.


def test_two_servers_at_once_lose_nothing(slide: Scored) -> None:
    with opened(slide.results, slide.picture) as one, opened(slide.results, slide.picture, "Dr B") as two:
        one.post("/api/edit", {"ids": [1], "class": "other"})
        two.post("/api/edit", {"ids": [2], "class": "other"})
        one.post("/api/edit", {"ids": [2], "class": "tumour", "stained": False})
        assert two.get("/api/changes?since=1")["events"] == 4
        assert np.array_equal(one.cells().class_of, two.cells().class_of)
        actors = [event.actor for event in two.session.events]
        assert actors == ["cxpath", READER, "Dr B", READER]
        two.post("/api/undo")
        assert one.get("/api/cells/2")["class"] == "tumour"  # the later decision of the other holds
        assert one.post("/api/undo")["state"]["undo"]["event"] == 2


def test_a_server_that_is_killed_has_kept_every_decision(slide: Scored) -> None:
    with opened(slide.results, slide.picture) as page:
        page.post("/api/edit", {"ids": [5, 6, 7], "class": "other"})
        page.post("/api/audit/draw", {"cells": 20})
        page.post("/api/audit/answer", {"number": 3, "class": "cannot tell"})
        cells, line = page.cells(), page.get("/api/state")
        record = (page.session.review.path / "events.ndjson").read_bytes()
    again = ReviewSession(slide.results, READER)  # nothing was saved or closed
    assert verify_record(record, again.review.genesis).seal.head_hash == line["head_hash"]
    assert np.array_equal(again.marks().class_of, cells.class_of)
    assert np.array_equal(again.marks().flags, cells.flags)
    assert again.estimate.cps is not None
    assert again.estimate.cps.value == line["edited"]["cps"]


def test_a_signature_states_the_head_and_a_later_edit_voids_it(page: Page) -> None:
    page.post("/api/edit", {"ids": [5], "class": "other"})
    signed = page.post("/api/sign", {"meaning": "approved"})["state"]["signature"]
    assert (signed["name"], signed["meaning"]) == (READER, "approved")
    assert signed["head_hash"] == page.session.events[-2].hash
    assert page.post("/api/edit", {"ids": [6], "class": "other"})["state"]["signature"] is None


def test_there_is_nothing_to_sign_before_the_first_decision(page: Page) -> None:
    assert page.post("/api/sign", status=409)["error"]["code"] == "conflict"


def test_the_state_is_sent_again_only_when_it_changed(page: Page) -> None:
    first = page.client.get("/api/state")
    tag = {"if-none-match": first.headers["etag"]}
    assert page.client.get("/api/state", headers=tag).status_code == 304
    page.post("/api/edit", {"ids": [5], "class": "other"})
    assert page.client.get("/api/state", headers=tag).status_code == 200
