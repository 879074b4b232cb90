"""Worker processes: what kills one of them is tried again, then set aside; the others go on."""

from pathlib import Path

from cxpath.batch.task import Status
from cxpath.batch.workers import LocalWorkers, how_it_ended
from tests.batch.fake_batches import attempt_of, by_id, run, write_slides
from tests.batch.fake_scoring import attempts


def test_a_slide_that_crashes_its_worker_is_set_aside_and_the_rest_go_on(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", a="crash", b="fine", c="crash-once", d="fine", e="damaged")
    result = run(slides, tmp_path / "out", workers=2)
    found = by_id(result)
    assert found["a"].status is Status.FAILED
    assert found["a"].reason.endswith("the last by signal SIGSEGV")
    assert attempts(slides / "a.fake") == found["a"].crashes == 3
    assert [found[name].status for name in "bcd"] == [Status.SCORED] * 3
    assert found["e"].reason.endswith("is damaged at tile 7")
    assert result.worker_deaths == 3
    assert not list((tmp_path / "out").rglob("*.partial")), "a dead worker's half-written folder stays behind"


def test_workers_share_processors_and_gpus(tmp_path: Path) -> None:
    engine = LocalWorkers(attempt_of(tmp_path), workers=3, gpus=("0", "2"))
    assert [engine.environment(number)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["0", "2", "0"]
    assert engine.name == "3 local workers on 2 GPUs"
    assert LocalWorkers(attempt_of(tmp_path)).name == "1 local worker"


def test_the_end_of_a_process_in_words() -> None:
    assert how_it_ended(-9) == "signal SIGKILL (often: out of memory)"
    assert how_it_ended(3) == "exit code 3"
