from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxpath.app.review_folder import open_review
from cxpath.app.review_outcome import verify_review
from cxpath.review.events import Decision, ReviewError
from cxpath.review.state import accept_decision, edit_decision
from cxpath.viewer.session import LiveRecord, OutdatedError
from tests.viewer.reviews import READER, Scored, scored

OLD, NEW = {"class": "tumour", "stained": False}, {"class": "other", "stained": False}


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def results(scored_once: Scored, tmp_path: Path) -> Path:
    return scored_once.copied(tmp_path / "out").results


def record_of(results: Path) -> LiveRecord:
    return LiveRecord(open_review(results))


def file_of(results: Path) -> Path:
    return open_review(results).path / "events.ndjson"


def edit(row: int) -> Decision:
    return edit_decision(row, OLD, NEW, READER)


def test_a_record_begins_with_what_it_is_about(results: Path) -> None:
    record = record_of(results)
    assert not record.refresh()
    assert not file_of(results).exists()
    added = record.append([edit(3)], expected=0)
    assert [event.action.value for event in record.events] == ["begin", "edit"]
    assert added == record.events[1:]
    assert verify_review(results)[1].events == record.events


def test_what_another_process_wrote_is_read_before_anything_is_added(results: Path) -> None:
    one, two = record_of(results), record_of(results)
    one.append([edit(3)], expected=0)
    with pytest.raises(OutdatedError):
        two.append([edit(4)], expected=0)
    assert two.state.edits.keys() == {3}
    two.append([edit(4)], expected=2)
    assert one.refresh()
    assert not one.refresh()
    assert one.events == two.events


def test_a_decision_that_does_not_fit_is_not_written(results: Path) -> None:
    record = record_of(results)
    record.append([accept_decision(1, record.state, READER, accepted=True)], expected=0)
    before = file_of(results).read_bytes()
    again = Decision(READER, record.events[-1].action, "field 1", old=False, new=True)
    with pytest.raises(ReviewError, match="another value before"):
        record.append([again], expected=2)
    assert file_of(results).read_bytes() == before
    assert len(record.events) == 2


def test_a_line_that_a_power_cut_broke_off_is_cut(results: Path) -> None:
    record = record_of(results)
    record.append([edit(3), edit(4)], expected=0)
    path, whole = file_of(results), file_of(results).read_bytes()
    path.write_bytes(whole + b'{"action":"ed')
    again = record_of(results)
    assert again.events == record.events
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"action":"ed')
    record.append([edit(5)], expected=3)
    assert verify_review(results)[1].seal.events == 4


def test_half_a_line_that_another_process_is_writing_is_left_for_later(results: Path) -> None:
    record = record_of(results)
    record.append([edit(3)], expected=0)
    other = record_of(results)
    other.append([edit(4)], expected=2)
    path, whole = file_of(results), file_of(results).read_bytes()
    path.write_bytes(whole[:-20])
    assert not record.refresh()
    path.write_bytes(whole)
    assert record.refresh()
    assert record.events == other.events


def test_a_record_changed_under_the_server_is_refused(results: Path) -> None:
    record = record_of(results)
    record.append([edit(3)], expected=0)
    path = file_of(results)
    path.write_bytes(path.read_bytes().replace(b"Reader", b"Leader"))
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(ReviewError, match="was changed while it was open"):
        record.refresh()
    with pytest.raises(ReviewError, match="line 2 was changed"):
        record_of(results)


def test_a_record_that_vanished_is_refused(results: Path) -> None:
    record = record_of(results)
    record.append([edit(3)], expected=0)
    file_of(results).unlink()
    with pytest.raises(ReviewError, match="was changed while it was open"):
        record.append([edit(4)], expected=2)


_DECIDES = """
import sys
from pathlib import Path
from cxpath.app.review_folder import open_review
from cxpath.review.state import edit_decision
from cxpath.viewer.session import LiveRecord, OutdatedError
record = LiveRecord(open_review(Path(sys.argv[1])))
old, new = {"class": "tumour", "stained": False}, {"class": "other", "stained": False}
row = int(sys.argv[2])
while True:
    try:
        record.append([edit_decision(row, old, new, "Dr B")], expected=len(record.events))
    except OutdatedError:
        continue
    print(row, flush=True)
    row += 1
"""


def test_processes_that_are_killed_lose_no_decision_that_was_acknowledged(results: Path) -> None:
    """Two processes decide as fast as they can until they are killed; what they printed must stand."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _DECIDES, str(results), str(first)], stdout=subprocess.PIPE, text=True
        )
        for first in (0, 2_000)
    ]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not _lines(results) > 12:
        time.sleep(0.05)
    acknowledged: set[int] = set()
    for worker in workers:
        worker.kill()
        out, _ = worker.communicate()
        acknowledged |= {int(line) for line in out.split()}
    record = record_of(results)
    assert len(acknowledged) > 5
    assert acknowledged <= set(record.state.edits)
    assert len(record.state.edits) <= len(acknowledged) + len(workers)


def _lines(results: Path) -> int:
    path = file_of(results)
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def test_events_say_in_which_session_they_were_made(results: Path) -> None:
    record = record_of(results)
    record.append([Decision(READER, edit(3).action, "cell 3", OLD, NEW, "tab", 900)], expected=0)
    line = json.loads(file_of(results).read_bytes().splitlines()[-1])
    assert (line["session"], line["shown_ms"]) == ("tab", 900)
