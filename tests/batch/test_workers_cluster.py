"""A real Dask cluster: a scheduler and worker processes, some of which are killed while they work."""

from pathlib import Path

import pytest

from cxpath.batch.run import BatchResult, Tally, run_batch
from cxpath.batch.task import Event, Started, StateFolder
from cxpath.batch.workers import QueueSettings, client_at, cluster_engine
from cxpath.documents.batch import Status
from cxpath.errors import BatchError, ConfigurationError
from tests.batch.conftest import ROOT, Cluster
from tests.batch.fake_batches import attempt_of, by_id, tasks_of, write_slides

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def run_on(cluster: Cluster, slides: Path, out: Path, listen: object = None) -> BatchResult:
    state = StateFolder(out)
    state.create()
    engine = cluster_engine(attempt_of(out), cluster.address, QueueSettings())
    with state.run_lock():
        return run_batch(tasks_of(slides, out), out, engine, listen)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_lost_worker_s_slides_go_to_another(cluster: Cluster, tmp_path: Path) -> None:
    kinds = {f"s{number}": "fine 0.2" for number in range(8)} | {"t": "damaged", "u": "not-evaluable"}
    slides, started = write_slides(tmp_path / "slides", **kinds), set[str]()

    def kill_one_when_both_have_started(event: Event | None, _tally: Tally) -> None:
        if isinstance(event, Started):
            started.add(event.worker)
        if len(started) == 2:
            cluster.workers[0].kill()

    found = by_id(run_on(cluster, slides, tmp_path / "out", kill_one_when_both_have_started))
    assert len(started) == 2
    assert [found[f"s{number}"].status for number in range(8)] == [Status.SCORED] * 8
    assert found["t"].reason.endswith("is damaged at tile 7")
    assert found["u"].status is Status.NOT_EVALUABLE
    assert run_on(cluster, slides, tmp_path / "out").kept == 9


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slides_are_scored_by_jobs_of_a_slurm_queue(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="damaged", c="fine"), tmp_path / "out"
    settings = QueueSettings(
        cores=1,
        memory="2GB",
        walltime="00:10:00",
        most_jobs=1,
        job_prologue=(f"export PYTHONPATH={ROOT / 'src'}:{ROOT}", f"cd {ROOT}"),
        log_folder=str(tmp_path),
    )
    StateFolder(out).create()
    engine = cluster_engine(attempt_of(out), "slurm", settings)
    found = by_id(run_batch(tasks_of(slides, out), out, engine))
    assert [found[name].status for name in "abc"] == [Status.SCORED, Status.FAILED, Status.SCORED]
    assert list(tmp_path.glob("*.out")), "a job of the queue wrote its log"
    assert not list((out / "batch-state").glob("certificates-*"))


def test_a_scheduler_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.batch.workers._PATIENCE_S", 0.2)
    with pytest.raises(BatchError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        client_at("tcp://127.0.0.1:1").__enter__()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no address"):
        client_at("night").__enter__()


def test_an_open_scheduler_on_another_machine_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cxpath.batch.workers._PATIENCE_S", 0.2)
    for address, said in (("tcp://192.0.2.1:1", True), ("tcp://127.0.0.1:1", False)):
        caplog.clear()
        with pytest.raises(BatchError):
            client_at(address).__enter__()
        assert ("is not encrypted" in caplog.text) == said


def test_certificates_that_are_not_there_are_said() -> None:
    with pytest.raises(ConfigurationError, match=r"--dask tls://127\.0\.0\.1:1: .*distributed\.comm\.tls"):
        client_at("tls://127.0.0.1:1").__enter__()
