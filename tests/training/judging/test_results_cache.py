from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxpath.training.judging.results_cache import ResultsCache, file_digest
from cxpath.values.errors import OutputError


def counting(calls: list[int]) -> dict[str, Any]:
    calls.append(1)
    return {"value": len(calls)}


def test_a_result_is_measured_once(tmp_path: Path) -> None:
    calls: list[int] = []
    for _ in range(2):
        cache = ResultsCache(tmp_path, "model A")
        assert cache.result("one", "content", lambda: counting(calls)) == {"value": 1}
    assert len(calls) == 1
    assert cache.computed == 0


@pytest.mark.parametrize(
    ("basis", "item", "content"),
    [("model B", "one", "content"), ("model A", "two", "content"), ("model A", "one", "other")],
)
def test_another_model_item_or_content_is_measured_anew(
    tmp_path: Path, basis: str, item: str, content: str
) -> None:
    calls: list[int] = []
    ResultsCache(tmp_path, "model A").result("one", "content", lambda: counting(calls))
    ResultsCache(tmp_path, basis).result(item, content, lambda: counting(calls))
    assert len(calls) == 2


def test_an_interrupted_or_damaged_result_is_measured_anew(tmp_path: Path) -> None:
    cache = ResultsCache(tmp_path, "model A")

    def interrupted() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.result("one", "content", interrupted)
    assert cache.known("one", "content") is None
    cache.keep("one", "content", {"value": 1})
    cache.path("one", "content").write_text('{"val')
    assert cache.known("one", "content") is None
    assert cache.result("one", "content", lambda: {"value": 2}) == {"value": 2}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        ResultsCache(tmp_path / "file", "model A")


def test_the_digest_of_files_depends_on_content_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"1")
    assert file_digest(first) == file_digest(second)
    second.write_bytes(b"2")
    assert file_digest(first) != file_digest(second)
