"""What is asked of a Slurm queue: the job script, checked line by line."""

from pathlib import Path

import dask
import dask_jobqueue  # noqa: F401  # its defaults must stand before one of them is changed for a while
import pytest

from cxpath.batch.workers import QueueSettings, read_queue_settings, slurm_cluster
from cxpath.errors import ConfigurationError, MissingFileError
from tests.debian_packages import free_port

QUEUE = """
queue = "gpu"
account = "pathology"
cores = 8
memory = "32GB"
walltime = "08:00:00"
gpus = 1
most_jobs = 6
job_directives = ["--constraint=a100"]
job_prologue = ["source /shared/cxpath/bin/activate"]
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_job_script_asks_for_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "queue.toml"
    path.write_text(QUEUE, encoding="utf-8")
    with slurm_cluster(read_queue_settings(path), tmp_path) as cluster:
        lines = cluster.job_script().splitlines()
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0, "only this user reads the key"
    directives = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")}
    assert {"-p gpu", "-A pathology", "--cpus-per-task=8", "--mem=30G", "-t 08:00:00", "-n 1"} <= directives
    assert {"--gres=gpu:1", "--constraint=a100"} <= directives
    assert lines.index("export OMP_NUM_THREADS=8") < lines.index("source /shared/cxpath/bin/activate")
    (worker,) = [line for line in lines if "dask_worker" in line or "dask worker" in line]
    assert "--nthreads=1" in worker
    assert "--resources=GPU=1" in worker
    assert "--protocol tls://" in worker
    assert f"--tls-key {tmp_path / 'key.pem'}" in worker
    assert "--dashboard-address=127.0.0.1:0" in worker


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_two_batches_share_a_login_machine_without_a_quarrel_over_ports(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        slurm_cluster(QueueSettings(), tmp_path / "one") as one,
        slurm_cluster(QueueSettings(), tmp_path / "two") as two,
    ):
        assert one.scheduler_address != two.scheduler_address
        assert one.scheduler.http_server.port != two.scheduler.http_server.port
        assert one.scheduler.http_server.address == "127.0.0.1"
        assert one.scheduler_address.startswith("tls://"), "the scheduler is reached from other machines"
        assert one.scheduler.security.require_encryption
        assert one.scheduler.http_application.applications == [], "no page tells what is scored"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_site_may_fix_the_dashboards_address(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with (
        dask.config.set({"jobqueue.slurm.scheduler-options": {"dashboard_address": address}}),
        slurm_cluster(QueueSettings(), tmp_path) as cluster,
    ):
        assert cluster.scheduler.http_server.port == int(address.partition(":")[2])


def test_without_a_file_the_defaults_hold() -> None:
    assert read_queue_settings(None) == QueueSettings()


def test_what_the_file_may_not_say_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "queue.toml").write_text("nodes = 3")
    with pytest.raises(ConfigurationError, match=r"queue\.toml: nodes: "):
        read_queue_settings(tmp_path / "queue.toml")
    with pytest.raises(MissingFileError):
        read_queue_settings(tmp_path / "gone.toml")
