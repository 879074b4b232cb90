"""The example files for clusters: the queue takes the one, the other encrypts every connection."""

from __future__ import annotations

import re
from pathlib import Path

from cxpath.batch.workers import QueueSettings, read_queue_settings

ROOT = Path(__file__).resolve().parents[2]

FOLDER = ROOT / "scripts" / "recipes" / "cluster"


def test_the_queue_file_is_taken_and_shows_every_key() -> None:
    settings = read_queue_settings(FOLDER / "queue.toml")
    assert settings.most_jobs == 6
    assert settings.gpus == 1
    text = (FOLDER / "queue.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+) =", text, re.MULTILINE)) == set(QueueSettings.model_fields)


def test_the_dask_file_encrypts_every_connection() -> None:
    yaml = (FOLDER / "dask.yaml").read_text(encoding="utf-8")
    assert re.search(r"^\s+require-encryption: true$", yaml, re.MULTILINE)
    for end in ("client", "scheduler", "worker"):
        assert re.search(rf"^\s+{end}: \{{cert: \S+, key: \S+\}}$", yaml, re.MULTILINE)
