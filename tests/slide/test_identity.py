from __future__ import annotations

import struct
from pathlib import Path

import pytest

from cxpath.slide.identity import files_of, series_instance_uid

ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


def _element(group: int, element: int, kind: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", group, element, kind)
    long = kind in {b"SQ", b"UN", b"OB"}
    return head + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value


def _sequence(group: int, element: int, content: bytes) -> bytes:
    """A sequence and an item of undefined length, as DICOM writers like them."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    head = struct.pack("<HH2sHI", group, element, b"SQ", 0, 0xFFFFFFFF)
    return head + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _dicom(uid: str, *before: bytes) -> bytes:
    meta = _element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
    series = _element(0x20, 0x0E, b"UI", (uid + "\0" * (len(uid) % 2)).encode())
    pixels = _element(0x7FE0, 0x10, b"OB", b"\1\2")
    return b"\0" * 128 + b"DICM" + meta + b"".join(before) + series + pixels


def test_the_series_of_a_real_file(data_dir: Path) -> None:
    uid = series_instance_uid(data_dir / "wsi" / "boxes_0.dcm")
    assert uid is not None
    assert uid.replace(".", "").isdigit()
    assert files_of(data_dir / "wsi" / "boxes_0.dcm", "dicom") == (data_dir / "wsi" / "boxes_0.dcm",)


def test_a_series_that_is_only_referred_to_is_not_its_own(tmp_path: Path) -> None:
    other = _element(0x20, 0x0E, b"UI", b"9.9\0")
    path = tmp_path / "a.dcm"
    path.write_bytes(_dicom("1.2.3", _sequence(8, 0x1115, other), _element(8, 0x1140, b"SQ", b"")))
    assert series_instance_uid(path) == "1.2.3"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 200,
        b"\0" * 128 + b"DICM",
        b"\0" * 128 + b"DICM" + _element(0x28, 0x10, b"US", b"\1\0"),
        b"\0" * 128 + b"DICM\x08\0\x05\0\x04\0\0\0abcd",  # implicit VR
        b"\0" * 128 + b"DICM" + struct.pack("<HH2sHI", 8, 0x1115, b"SQ", 0, 0xFFFFFFFF) + ITEM * 20_000,
    ],
)
def test_other_files_belong_to_no_series(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dcm").write_bytes(content)
    assert series_instance_uid(tmp_path / "a.dcm") is None


def test_a_dicom_slide_is_the_files_of_its_series(tmp_path: Path) -> None:
    for name, uid in {"b.dcm": "1.2.3", "a.dcm": "1.2.3", "c.dcm": "1.2.4"}.items():
        (tmp_path / name).write_bytes(_dicom(uid))
    (tmp_path / "notes.txt").write_text("not DICOM")
    expected = (tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert files_of(tmp_path / "b.dcm", "dicom") == files_of(tmp_path / "a.dcm", "dicom") == expected


def test_a_vms_slide_is_its_index_and_pictures_without_the_macro(tmp_path: Path) -> None:
    index = tmp_path / "a.vms"
    index.write_text(
        "[Virtual Microscope Specimen]\nImageFile=a.jpg\nMapFile=m.jpg\nMacroImage=macro.jpg\nX=../b\n"
    )
    for name in ("a.jpg", "m.jpg", "macro.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert files_of(index, "hamamatsu") == (index, tmp_path / "a.jpg", tmp_path / "m.jpg")


def test_most_slides_are_one_file(tmp_path: Path) -> None:
    assert files_of(tmp_path / "a.svs", "aperio") == (tmp_path / "a.svs",)
    assert files_of(tmp_path / "a.ndpi", "hamamatsu") == (tmp_path / "a.ndpi",)
