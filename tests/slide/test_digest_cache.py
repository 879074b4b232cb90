from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cxpath.errors import ConfigurationError
from cxpath.slide import identity as digest_cache
from cxpath.slide.identity import cache_path, key_of, recall, remember

DIGEST = "ab" * 32


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_what_was_remembered_is_recalled() -> None:
    assert recall("k") is None
    remember("k", DIGEST)
    remember("l", DIGEST[::-1])
    assert (recall("k"), recall("l")) == (DIGEST, DIGEST[::-1])
    assert [file.name for file in cache_path().parent.iterdir()] == ["digests.json"]


def test_no_name_can_be_read_from_it(tmp_path: Path) -> None:
    path = tmp_path / "DOE_JANE.svs"
    path.write_bytes(b"x")
    remember(key_of([path]), DIGEST)
    held = cache_path().read_text()
    assert "DOE" not in held
    assert tmp_path.name not in held
    assert json.loads(held)["digests"] == {key_of([path]): DIGEST}


def test_the_key_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"x")
    before = key_of([path])
    assert key_of([path]) == before
    path.write_bytes(b"xy")
    assert key_of([path]) != before


def test_another_file_of_the_same_size_and_time_has_another_key(tmp_path: Path) -> None:
    path, other = tmp_path / "a.svs", tmp_path / "b.svs"
    path.write_bytes(b"first")
    before, state = key_of([path]), path.stat()
    other.write_bytes(b"other")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    assert key_of([path]) != before


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: str) -> str:
        return path

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", unknown)
    remember("k", DIGEST)
    assert recall("k") is None
    with pytest.raises(ConfigurationError, match="no home folder"):
        cache_path()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"schema": "other", "digests": {"k": "' + DIGEST + '"}}', '{"digests": 3}']
)
def test_a_spoilt_cache_is_forgotten_and_written_anew(content: str) -> None:
    cache_path().parent.mkdir(parents=True)
    cache_path().write_text(content)
    assert recall("k") is None
    remember("k", DIGEST)
    assert recall("k") == DIGEST


def test_a_tampered_digest_is_not_believed() -> None:
    remember("k", "not a digest")
    assert recall("k") is None


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    remember("k", DIGEST)
    assert recall("k") is None


def test_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_cache, "_MOST_ENTRIES", 2)
    for key in "abc":
        remember(key, DIGEST)
    assert [recall(key) for key in "abc"] == [None, DIGEST, DIGEST]
