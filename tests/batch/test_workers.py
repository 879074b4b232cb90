"""Worker processes: what kills one of them is tried again, then set aside; the others go on."""

from pathlib import Path

import pytest

from cxpath.batch.workers import environment_of, local_engine
from cxpath.documents.batch import Status
from tests.batch.fake_batches import attempt_of, by_id, run, write_slides
from tests.batch.fake_scoring import attempts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.mark.slow
def test_a_slide_that_crashes_its_worker_is_set_aside_and_the_rest_go_on(tmp_path: Path) -> None:
    kinds = {f"s{number:02d}": "fine" for number in range(8)}
    kinds |= {"a": "crash", "c": "crash-once", "e": "damaged"}
    slides = write_slides(tmp_path / "slides", **kinds)
    result = run(slides, tmp_path / "out", workers=2)
    found = by_id(result)
    assert found["a"].status is Status.FAILED
    assert found["a"].reason == "3 processes ended while they scored it"
    assert attempts(slides / "a.fake") == found["a"].crashes == 3
    assert found["c"].status is Status.SCORED
    assert [found[f"s{number:02d}"].status for number in range(8)] == [Status.SCORED] * 8
    assert found["e"].reason.endswith("is damaged at tile 7")
    assert result.worker_deaths == 4
    assert not list((tmp_path / "out").rglob("*.partial")), "a dead worker's half-written folder stays behind"


def test_workers_share_processors_and_gpus(tmp_path: Path) -> None:
    said = [environment_of(number, 3, ("0", "2")) for number in range(3)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in said] == ["0", "2", "0"]
    assert "CUDA_VISIBLE_DEVICES" not in environment_of(0, 2, ())
    assert local_engine(attempt_of(tmp_path), 3, ("0", "2")).name == "3 local workers on 2 GPUs"
