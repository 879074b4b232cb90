from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cxpath.errors import UnreadableSlideError
from cxpath.slide import identity
from cxpath.slide.identity import slide_digest


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_one_file_has_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"abc")
    assert slide_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"abc")
    first = slide_digest(path)
    plain = identity._file_digest
    hashed: list[Path] = []

    def counted(file: Path) -> str:
        hashed.append(file)
        return plain(file)

    monkeypatch.setattr(identity, "_file_digest", counted)
    assert slide_digest(path) == first
    assert not hashed
    path.write_bytes(b"abd")
    os.utime(path, ns=(1, 1))
    assert slide_digest(path) == _sha256(b"abd")
    assert hashed == [path]


def test_an_mrxs_is_hashed_with_its_folder_whatever_its_name(tmp_path: Path) -> None:
    digests = set()
    for name in ("case", "renamed"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.mrxs").write_bytes(b"index")
        for part in ("Slidedat.ini", "Data0000.dat"):
            (tmp_path / name / part).write_bytes(part.encode())
        digests.add(slide_digest(tmp_path / f"{name}.mrxs", "mirax"))
    parts = sorted(_sha256(part) for part in (b"index", b"Slidedat.ini", b"Data0000.dat"))
    assert digests == {_sha256("".join(f"{part}\n" for part in parts).encode())}
    (tmp_path / "case" / "Data0000.dat").write_bytes(b"changed")
    assert slide_digest(tmp_path / "case.mrxs", "mirax") not in digests


def test_a_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSlideError, match="cannot be read"):
        slide_digest(tmp_path / "gone.svs")


def test_a_file_that_goes_away_is_named_as_the_user_may_see_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSlideError, match=r"^slide-1: cannot be read to its end") as caught:
        slide_digest(tmp_path / "DOE_JANE.svs", shown="slide-1")
    assert "DOE" not in str(caught.value)
