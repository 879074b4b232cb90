"""Local copies: made once, whole or not at all, removed when room is needed, never while in use."""

import errno
from pathlib import Path

import pytest

from cxpath.batch.attempt import SlideCache
from cxpath.errors import MissingFileError


def slide(folder: Path, name: str, size: int = 100) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x" * size)
    return folder / name


def copies(cache: SlideCache) -> set[str]:
    return {file.name for file in cache.folder.rglob("*.svs")}


def test_a_slide_is_copied_once_under_its_own_name(tmp_path: Path) -> None:
    cache, original = SlideCache(tmp_path / "cache", 1000), slide(tmp_path / "share", "a.svs")
    with cache.local_copy(original) as first:
        assert first.name == "a.svs"
        assert first.read_bytes() == original.read_bytes()
        first.write_bytes(b"mark")
    with cache.local_copy(original) as second:
        assert second.read_bytes() == b"mark", "not copied again"


def test_the_oldest_copies_go_when_room_is_needed(tmp_path: Path) -> None:
    cache = SlideCache(tmp_path / "cache", 250)
    for name in ("a.svs", "b.svs", "c.svs"):
        with cache.local_copy(slide(tmp_path / "share", name)):
            pass
    assert copies(cache) == {"b.svs", "c.svs"}


def test_a_copy_in_use_stays(tmp_path: Path) -> None:
    cache = SlideCache(tmp_path / "cache", 150)
    one, other = slide(tmp_path / "share", "a.svs"), slide(tmp_path / "share", "b.svs")
    with cache.local_copy(one) as held, cache.local_copy(other):
        assert held.exists()


def test_a_slide_larger_than_the_cache_is_read_where_it_lies(tmp_path: Path) -> None:
    original = slide(tmp_path / "share", "a.svs", size=2000)
    with SlideCache(tmp_path / "cache", 1000).local_copy(original) as found:
        assert found == original


def test_all_files_of_a_slide_are_copied(tmp_path: Path) -> None:
    original = slide(tmp_path / "share", "a.mrxs")
    slide(tmp_path / "share" / "a", "Data0001.dat")
    with SlideCache(tmp_path / "cache", 1000).local_copy(original) as found:
        assert (found.parent / "a" / "Data0001.dat").is_file()


def test_a_slide_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError), SlideCache(tmp_path / "cache", 1000).local_copy(tmp_path / "a.svs"):
        pass


def test_a_cache_that_cannot_take_the_copy_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_paths: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cxpath.batch.attempt.shutil.copyfile", full)
    original = slide(tmp_path / "share", "a.svs")
    with SlideCache(tmp_path / "cache", 1000).local_copy(original) as found:
        assert found == original
    assert "No space left on device" in caplog.text
