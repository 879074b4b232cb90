"""Worker processes: what kills one of them is tried again, then set aside; the others go on."""

import multiprocessing
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.run import BatchRequest, InProcess
from cxpath.batch.task import StateFolder
from cxpath.batch.workers import environment_of, local_client, local_engine
from cxpath.documents.batch import Status
from cxpath.errors import BatchError, ConfigurationError
from tests.batch.fake_batches import attempt_of, by_id, run, tasks_of, write_slides
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


def _listening() -> dict[tuple[str, int], psutil.Process]:
    """Where this process and its children listen."""
    here = psutil.Process()
    return {
        (connection.laddr.ip, connection.laddr.port): process
        for process in (here, *here.children(recursive=True))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.slow
def test_nothing_listens_beyond_this_machine_and_nobody_enters_without_the_certificate() -> None:
    distributed: Any = import_module("distributed")
    before = set(_listening())
    with local_client(2) as client:
        opened = set(_listening()) - before
        assert opened
        assert {address for address, _ in opened} == {"127.0.0.1"}
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError)):
            distributed.Client(address.replace("tls://", "tcp://"), timeout=3)
        with pytest.raises((OSError, TypeError)):
            distributed.Client(address, security=distributed.Security.temporary(), timeout=3)
        pages = client.run_on_scheduler(
            lambda dask_scheduler: len(dask_scheduler.http_application.applications)
        )
        assert pages == 0
        client.wait_for_workers(2)
        memory_rules = client.run(lambda: os.environ.get("MALLOC_TRIM_THRESHOLD_"))
        assert set(memory_rules.values()) == {None}, "memory is kept from tile to tile"
    assert set(_listening()) == before


def test_one_worker_is_this_process_and_more_need_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(workers: int) -> object:
        template = ScoreRequest(tmp_path / "a.svs", device="cpu")
        return BatchRequest(str(tmp_path), tmp_path / "out", template, workers).engine()

    assert isinstance(engine(1), InProcess)
    with pytest.raises(ConfigurationError, match="--workers 0 is not possible"):
        engine(0)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BatchError, match=r"pip install 'cxpath\[cluster\]'"):
        engine(2)
    assert isinstance(engine(1), InProcess), "which needs no Dask"


@pytest.mark.slow
def test_certificates_need_the_extra_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.batch.workers.find_spec", lambda _name: None)
    with pytest.raises(BatchError, match=r"cryptography.*pip install 'cxpath\[cluster\]'"):
        local_client(2).__enter__()


@pytest.mark.slow
def test_a_batch_that_is_interrupted_ends_its_workers_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine 600", b="fine 600"), tmp_path / "out"
    StateFolder(out).create()
    events = local_engine(attempt_of(out), 2).run(tasks_of(slides, out))
    assert {next(events).__class__.__name__ for _ in range(2)} == {"Started"}
    while len(list(out.glob(".*.partial"))) < 2:
        time.sleep(0.01)
    events.close()  # as Ctrl-C and SIGTERM do
    assert not list(out.glob(".*.partial"))
    found = StateFolder(out).read_all()
    assert [(one.status, one.interrupted, one.crashes) for one in found] == [(Status.RUNNING, True, 0)] * 2
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("Dask")]
