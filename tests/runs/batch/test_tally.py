"""Speed and time left, by a clock that the test holds."""

from cxpath.runs.batch.engine import Finished, Moved, Started
from cxpath.runs.batch.outcome import Outcome, Status
from cxpath.runs.batch.tally import Tally


def test_counts_speed_and_time_left() -> None:
    tally = Tally(total=12, kept=2, started_s=100.0)
    assert tally.slides_per_hour(100.0) is None
    for number, status in enumerate((Status.SCORED, Status.FAILED, Status.NOT_EVALUABLE, Status.SCORED)):
        tally.take(Started(f"s{number}", "worker 1"), 100.0 + 60 * number)
        tally.take(Finished(Outcome(f"s{number}", status)), 160.0 + 60 * number)
    assert (tally.done, tally.failed) == (6, 1)
    assert tally.slides_per_hour(340.0) == 60.0
    assert tally.seconds_left(340.0) == 360.0


def test_what_is_in_hand_is_known_by_worker() -> None:
    tally = Tally(total=2)
    tally.take(Started("a", "worker 1"), 5.0)
    tally.take(Moved("worker 1", 3, 8), 6.0)
    tally.take(Started("b", "worker 2"), 7.0)
    found = tally.as_dict(9.0)
    assert [(held["id"], held["seconds"], held["tiles_done"]) for held in found["in_hand"]] == [
        ("a", 4.0, 3),
        ("b", 2.0, 0),
    ]
    tally.take(Finished(Outcome("a", Status.RUNNING, crashes=1)), 9.0)
    assert (tally.done, tally.crashes, list(tally.in_hand)) == (0, 1, ["worker 2"])


def test_a_slide_that_moves_to_another_worker_is_in_one_hand() -> None:
    tally = Tally(total=1)
    tally.take(Started("a", "lost"), 1.0)
    tally.take(Started("a", "found"), 2.0)
    assert list(tally.in_hand) == ["found"]
