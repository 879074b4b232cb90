"""The record of a review on the disk: begun, continued, and refused where it is not that of the result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.review_folder import (
    RECORD,
    ReviewFolder,
    audited_entry,
    auditor,
    edited_entry,
    has_answered_all,
    open_review,
    printed_name,
    require_current_review,
)
from cxpath.documents import ScoreDocument
from cxpath.errors import MissingFileError, OutputError
from cxpath.review import Action, Decision, ReviewError, ReviewState, Verified
from cxpath.review.state import edit_decision, replay
from tests.cli.scored_folders import scored_folder
from tests.review.records import AUDIT, READER, after, record
from tests.synthetic_cells import many

TUMOUR: dict[str, object] = {"class": "tumour", "stained": True}
REMOVED: dict[str, object] = {"removed": True}
EDIT = edit_decision(0, TUMOUR, REMOVED, READER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scored_folder(tmp_path / "S1", many({"T+": 40, "T-": 160, "L+": 20}))


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_a_review_begins_with_its_first_decision_and_is_continued(folder: Path) -> None:
    review = open_review(folder)
    assert review.verified() is None
    assert not (folder / "review").exists(), "looking writes nothing"
    begun = review.append([EDIT])
    assert [event.action for event in begun.events] == [Action.BEGIN, Action.EDIT]
    assert begun.events[0].actor == "cxpath"
    again = open_review(folder).append([replace(EDIT, target="cell 1")])
    assert [event.action for event in again.events] == [Action.BEGIN, Action.EDIT, Action.EDIT]
    found = open_review(folder).verified()
    assert found is not None
    assert found.events == again.events
    assert set(found.state.edits) == {0, 1}


def test_a_decision_that_does_not_fit_is_not_written(folder: Path) -> None:
    review = open_review(folder)
    review.append([EDIT])
    before = (review.path / RECORD).read_bytes()
    with pytest.raises(ReviewError, match="another value before"):
        review.append([replace(EDIT, old={"class": "other", "stained": False})])
    with pytest.raises(ReviewError, match="was not sampled"):
        review.append([Decision(READER, Action.ANSWER, "cell 3", new={"class": "tumour", "stained": True})])
    assert (review.path / RECORD).read_bytes() == before


def test_a_line_that_another_process_adds_meanwhile_is_not_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every file system can lock: what was read is compared with what is there once more."""
    review = open_review(folder)
    review.append([EDIT])
    path, real, reads = review.path / RECORD, ReviewFolder._record_of, []

    def meanwhile(self: ReviewFolder, genesis: Any) -> bytes:
        content = real(self, genesis)
        reads.append(len(content))
        if len(reads) == 2:
            path.write_bytes(content + b"from elsewhere\n")
        return content

    monkeypatch.setattr(ReviewFolder, "_record_of", meanwhile)
    with pytest.raises(ReviewError, match="another process writes this review"):
        review.append([replace(EDIT, target="cell 1")])
    assert path.read_bytes().endswith(b"from elsewhere\n")


@pytest.mark.parametrize("file", ["score.json", "cells.parquet"])
def test_a_record_of_another_result_is_named_and_stays(folder: Path, tmp_path: Path, file: str) -> None:
    review = open_review(folder)
    review.append([EDIT])
    other = scored_folder(tmp_path / "other" / "S1", many({"T+": 41, "T-": 160, "L+": 20}))
    (folder / file).write_bytes((other / file).read_bytes())
    with pytest.raises(ReviewError, match=r"events\.ndjson: line 1 does not follow from this") as caught:
        open_review(folder).verified()
    assert "restore them from a backup" in caught.value.hint
    assert (review.path / RECORD).is_file()


def test_a_record_begun_with_another_version_is_continued_with_its_own(folder: Path) -> None:
    review = open_review(folder)
    review.append([EDIT])
    path = review.path / RECORD
    assert open_review(folder).genesis == review.genesis
    path.write_bytes(path.read_bytes().replace(b'"version":"', b'"version":"0.0.1+', 1))
    older = open_review(folder)
    assert older.genesis.version.startswith("0.0.1+")
    assert older.path == review.path, "another version does not begin another review"
    with pytest.raises(ReviewError, match="line 1 was changed"):
        older.verified()


def test_a_tail_that_was_cut_off_is_noticed_by_what_the_score_states(folder: Path) -> None:
    review = open_review(folder)
    found = review.append([EDIT])
    state = {"edits": 1, "events": found.seal.events, "head_hash": found.seal.head_hash}
    change(folder / "score.json", review=state)
    assert open_review(folder).verified() is not None
    path = review.path / RECORD
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(ReviewError, match="line 2 is missing"):
        open_review(folder).verified()


def test_a_record_that_cannot_be_read_is_no_empty_one(folder: Path) -> None:
    review = open_review(folder)
    (review.path / RECORD).mkdir(parents=True)
    with pytest.raises(ReviewError, match=r"events\.ndjson: cannot be read"):
        open_review(folder)._record_of(review.genesis)


def test_a_folder_that_cannot_be_made_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    review = open_review(folder)
    assert review.verified() is None
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="cannot be written: Permission denied") as caught:
        review.append([EDIT])
    assert caught.value.hint == "check the folder's permissions"


def test_only_a_whole_slide_with_its_cells_is_reviewed(folder: Path) -> None:
    stratum = {"tiles": 10, "drawn": 5}
    sampling = {
        "method": "m", "share_read": 0.5, "tiles_drawn": 5, "tiles_with_tissue": 10, "context_tiles": 0,
        "looks": 1, "stopped_because": "narrow", "cps": 12.0, "interval": [10.0, 14.0], "level": 0.95,
        "strata": [stratum],
    }  # fmt: skip
    whole = (folder / "score.json").read_text(encoding="utf-8")
    change(folder / "score.json", sampling=sampling)
    with pytest.raises(ReviewError, match="was scored in adaptive mode") as caught:
        open_review(folder)
    assert "--mode whole" in caught.value.hint
    (folder / "score.json").write_text(whole, encoding="utf-8")
    (folder / "cells.parquet").unlink()
    with pytest.raises(MissingFileError, match=r"cells\.parquet: no such file"):
        open_review(folder)


@pytest.mark.parametrize(
    ("given", "name"), [(" Dr  Ada\tExample ", "Dr Ada Example"), ("Zoë Müller", "Zoë Müller")]
)
def test_a_name_is_recorded_without_its_outer_blanks(given: str, name: str) -> None:
    assert printed_name(given) == name


@pytest.mark.parametrize("given", ["", "  ", "cxpath", " cxpath ", "Dr\x00Ada", "\u200b"])
def test_nobody_and_cxpath_itself_sign_nothing(given: str) -> None:
    with pytest.raises(ReviewError, match="needs the reader's printed name"):
        printed_name(given)


# What a score states of its review, and what the record says by now.


def document(folder: Path) -> ScoreDocument:
    return ScoreDocument.read(folder / "score.json")


def test_a_score_without_a_review_beside_it_is_current(folder: Path) -> None:
    require_current_review(document(folder), folder / "score.json")


def test_a_score_that_was_written_before_the_last_decision_is_refused(folder: Path) -> None:
    path = folder / "score.json"
    review = open_review(folder)
    found = review.append([EDIT])
    with pytest.raises(ReviewError, match="its review continued after it was written") as caught:
        require_current_review(document(folder), path)
    assert caught.value.hint == f"run cxpath report {folder}"
    state = {"edits": 1, "events": found.seal.events, "head_hash": found.seal.head_hash}
    change(path, review=state)
    require_current_review(document(folder), path)
    review.append([replace(EDIT, target="cell 1")])
    with pytest.raises(ReviewError, match="its review continued"):
        require_current_review(document(folder), path)


@pytest.mark.parametrize("last", [b"", b"no JSON\n", b'{"n":1}\n', b"[1]\n", b'{"hash":7}\n', b"\xff\n"])
def test_a_record_without_a_head_settles_nothing(folder: Path, last: bytes) -> None:
    review = open_review(folder)
    review.append([EDIT])
    (review.path / RECORD).write_bytes(last)
    change(folder / "score.json", review={"edits": 1, "events": 2, "head_hash": "ab" * 32})
    with pytest.raises(ReviewError, match="its review continued"):
        require_current_review(document(folder), folder / "score.json")


# Whose answers are the audited score.


def verified(*decisions: Decision) -> Verified:
    events = after(record(), *decisions)
    return Verified(events, replay(events))


def answers(actor: str, rows: range = range(12)) -> list[Decision]:
    given = {"class": "other", "stained": None}
    square = {"tumour_stained": 0, "tumour_unstained": 0, "immune_stained": 0}
    return [
        *(Decision(actor, Action.ANSWER, f"cell {row}", new=given) for row in rows),
        *(Decision(actor, Action.SQUARE, f"square {number}", new=square) for number in range(2)),
    ]


def test_only_who_answered_every_cell_and_square_is_the_auditor() -> None:
    assert auditor(verified()) is None
    assert not has_answered_all(ReviewState(), "anybody")
    assert auditor(verified(*answers("Dr B", range(11)))) is None, "a cell is open"
    assert auditor(verified(*answers("Dr B")[:-1])) is None, "a square is open"
    assert auditor(verified(*answers("Dr B"))) == "Dr B"
    assert len(AUDIT.squares) == 2


def test_of_two_auditors_the_one_who_answered_last_counts() -> None:
    both = [*answers("Dr B"), *answers("Dr C")]
    assert auditor(verified(*both)) == "Dr C"
    again = Decision(
        "Dr B",
        Action.ANSWER,
        "cell 0",
        old={"class": "other", "stained": None},
        new={"class": "not a cell", "stained": None},
    )
    assert auditor(verified(*both, again)) == "Dr B"


def test_no_audited_score_without_all_answers(folder: Path) -> None:
    review = open_review(folder)
    with pytest.raises(ReviewError, match="Dr B has not answered the whole audit"):
        audited_entry(review, verified(*answers("Dr B", range(3))), "Dr B")


# The score of edited cells.


def test_changed_added_and_removed_cells_are_counted_and_named_after_the_last_editor(folder: Path) -> None:
    review = open_review(folder)
    cells = review.scored.cells()
    stained = int((cells.stained >= 0.5)[0])
    was = {"class": "tumour", "stained": bool(stained)}
    put_back = edit_decision(2, {"class": "other", "stained": True}, was, "Dr B")
    found = review.append(
        [
            edit_decision(0, was, REMOVED, READER),
            edit_decision(1, was, {"class": "other", "stained": True}, READER),
            edit_decision(2, was, {"class": "other", "stained": True}, READER),
            put_back,
        ]
    )
    entry, score, table = edited_entry(review, found, ("a warning",))
    assert (entry.changed, entry.added, entry.removed) == (1, 0, 1), "what was put back did not change"
    assert entry.reviewer == "Dr B"
    assert entry.warnings[0] == "a warning"
    assert (entry.events, entry.head_hash) == (found.seal.events, found.seal.head_hash)
    assert score.counts is not None
    assert score.counts.tumour == 198
    assert score.cps is not None
    assert entry.cps == score.cps.value
    assert len(table) == len(cells) - 1
