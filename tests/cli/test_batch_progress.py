"""Progress of a batch: a picture on a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from cxpath.cli.batch_progress import ProgressForm, _picture, batch_progress, duration
from cxpath.runs.batch.engine import Finished, Moved, Started
from cxpath.runs.batch.outcome import Outcome, Status
from cxpath.runs.batch.tally import Tally


def half_done() -> Tally:
    tally = Tally(total=4, kept=1)
    tally.take(Started("case-1", "worker 1"), 0.0)
    tally.take(Finished(Outcome("case-1", Status.FAILED, reason="is damaged")), 30.0)
    tally.take(Started("case-2", "worker 1"), 30.0)
    tally.take(Moved("worker 1", 12, 80), 40.0)
    return tally


def test_the_picture_shows_share_workers_and_failures() -> None:
    page = io.StringIO()
    Console(file=page, width=100).print(_picture(half_done()))
    text = page.getvalue()
    assert "2 of 4 slides  50 %   1 failed" in text
    assert "worker 1" in text
    assert "case-2" in text
    assert "12/80 tiles" in text
    assert "failed  case-1: is damaged" in text


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tally, outcome = half_done(), Outcome("case-2", Status.RUNNING, crashes=1)
    with batch_progress(ProgressForm.AUTO) as listen:
        listen(None, tally)
        listen(Finished(outcome), tally)
        listen(Finished(Outcome("case-3", Status.FAILED, reason="no such file")), tally)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "4 slides, 1 of them done before"
    assert lines[1].startswith("[2/4] case-2  its worker died, attempt 1; it will be tried again")
    assert lines[2].startswith("[2/4] case-3  failed: no such file")


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (41.2, "41 s"), (200, "3 min"), (18_720, "5 h 12 min")]
)
def test_durations_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
