"""The digest of a slide, and what may leave it."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import struct
from pathlib import Path

import pytest
import tifffile

from cxpath.errors import ConfigurationError, UnreadableSlideError
from cxpath.slide.identity import (
    allowed_properties,
    allowed_words,
    files_of,
    forms_of_path,
    hide_names,
    key_path,
    one_line,
    printable,
    pseudonym,
    pseudonym_key,
    refuse_contradicting_copies,
    series_instance_uid,
    shown_as,
)
from cxpath.slide.open import open_slide
from tests.slide.synthetic_slides import PLANTED

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


def test_library_messages_become_one_short_line() -> None:
    assert (
        one_line(OSError("cannot\n read /a/b.svs\tat all"), Path("/a/b.svs")) == "cannot read the file at all"
    )
    assert one_line(OSError(""), Path("x")) == "OSError"
    assert len(one_line(OSError("x" * 900), Path("y"))) == 160


def test_messages_name_no_file() -> None:
    path = Path("/archive/Jane Doe/DOE_JANE.mrxs")
    for message, expected in [
        (
            "Couldn't open /archive/Jane Doe/DOE_JANE/Slidedat.ini: No such file",
            "Couldn't open the file: No such file",
        ),
        ("<tifffile.TiffFile 'DOE_JANE.mrxs'> has no pages", "<tifffile.TiffFile 'the file'> has no pages"),
        ("cannot map DOE_JANE: busy", "cannot map the file: busy"),
        ("tag 6c65 cannot have VR 'd\x08'", "tag 6c65 cannot have VR 'd\ufffd'"),
    ]:
        assert one_line(OSError(message), path) == expected


def test_errors_without_a_message_are_explained() -> None:
    assert one_line(AssertionError(), Path("x")) == "its parts contradict each other"
    assert "memory" in one_line(MemoryError(), Path("x"))


def test_names_can_be_written_on_one_line() -> None:
    assert printable("Müller 猫.svs") == "Müller 猫.svs"
    assert printable(b"M\xfcller.svs".decode("utf-8", "surrogateescape")) == "M\ufffdller.svs"
    assert printable("a\nb\x1b[31m\u2028c") == "a\ufffdb\ufffd[31m\ufffdc"
    assert shown_as(Path("a/b.svs"), None) == str(Path("a/b.svs"))
    assert shown_as(Path("a/b.svs"), "slide-1") == "slide-1"


def test_planted_identifiers_are_in_the_file_and_not_in_info(aperio: Path) -> None:
    with tifffile.TiffFile(aperio) as tiff:
        assert all(value in tiff.pages.first.description for value in PLANTED.values())
    with open_slide(aperio, name=pseudonym(aperio.name, pseudonym_key())) as slide:
        told = f"{slide.info!r} {slide!r} {slide.warnings!r}"
    assert not [value for value in (*PLANTED.values(), "DOE_JANE") if value in told]
    assert "'openslide.objective-power': '40'" in told
    assert "'compression': 'JPEG/RGB Q=90'" in told


def test_real_slides_tell_technical_facts_only(data_dir: Path) -> None:
    with open_slide(data_dir / "wsi" / "cmu_small_region.svs") as slide:
        told = repr(slide.info)
    assert not [
        value for value in ("12/29/09", "09:59:15", "CMU-1", "CPAPERIOCS", "b414003d") if value in told
    ]
    with open_slide(data_dir / "wsi" / "test3-DAPI-2-(387).ndpi", name="x") as slide:
        info = slide.info
    assert info.properties["tiff.Model"] == "C9600-12"
    assert "2017" not in repr(info)


def test_only_listed_properties_leave() -> None:
    properties = {
        "openslide.vendor": "aperio",
        "aperio.User": "x",
        "hamamatsu.Reference": "y",
        "new.key": "z",
    }
    assert allowed_properties(properties) == {"openslide.vendor": "aperio"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tiff.Model", "Scanner SN 100448"),
        ("tiff.Make", "Jane\nDoe"),
        ("tiff.Make", "x" * 60),
        ("aperio.AppMag", "40 (Jane)"),
        ("openslide.mpp-x", "Jane"),
        ("dicom.LossyImageCompression", "Jane"),
    ],
)
def test_listed_properties_stay_when_they_do_not_look_technical(name: str, value: str) -> None:
    assert allowed_properties({name: value}) == {}


@pytest.mark.parametrize(
    ("description", "compression"),
    [
        ("Aperio v12\n1x1 (256x256) JPEG/RGB Q=70|User = J2K Jane", "JPEG/RGB Q=70"),
        ("Aperio v12\n1x1 (256x256) J2K/YUV16 Q=70;x|", "J2K/YUV16 Q=70"),
        ("no such word", None),
    ],
)
def test_compression_is_picked_out_of_the_description(description: str, compression: str | None) -> None:
    assert allowed_properties({"tiff.ImageDescription": description}).get("compression") == compression


KEY = b"0123456789abcdef"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_pseudonym_is_a_keyed_hash() -> None:
    expected = hmac.new(KEY, b"DOE.svs", hashlib.sha256).hexdigest()[:12]
    assert pseudonym("DOE.svs", KEY) == f"slide-{expected}"
    assert pseudonym("DOE.svs", KEY[::-1]) != pseudonym("DOE.svs", KEY) != pseudonym("DOF.svs", KEY)


def test_rfc_4231_vector() -> None:
    assert pseudonym("what do ya want for nothing?", b"Jefe") == "slide-5bdcc146bf60"


def test_a_key_is_made_once_and_is_private(config: Path) -> None:
    first = pseudonym_key()
    assert pseudonym_key() == first
    assert len(first) == 64
    assert key_path() == config / "cxpath" / "pseudonym.key"
    assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert [file.name for file in key_path().parent.iterdir()] == ["pseudonym.key"]


def test_the_environment_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", KEY.decode())
    assert pseudonym_key() == KEY
    assert not config.exists()


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", "short")
    with pytest.raises(ConfigurationError, match="shorter than 16"):
        pseudonym_key()


def test_a_place_that_cannot_be_written_says_what_to_do(config: Path) -> None:
    config.write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="CXPATH_PSEUDONYM_KEY"):
        pseudonym_key()


def test_names_whose_bytes_are_not_utf_8_have_pseudonyms_of_their_bytes() -> None:
    name = b"M\xfcller.svs"
    expected = hmac.new(KEY, name, hashlib.sha256).hexdigest()[:12]
    assert pseudonym(name.decode("utf-8", "surrogateescape"), KEY) == f"slide-{expected}"


def test_a_user_without_a_home_is_asked_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: str) -> str:
        return path

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("CXPATH_PSEUDONYM_KEY", raising=False)
    monkeypatch.setattr(os.path, "expanduser", unknown)
    with pytest.raises(ConfigurationError, match="set CXPATH_PSEUDONYM_KEY"):
        pseudonym_key()


# Names of files in messages of others.


@pytest.mark.skipif(os.name == "nt", reason="paths of other systems")
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("cannot open /data/Jane Doe/DOE_JANE.svs", "cannot open slide-1"),
        ("/data/Jane Doe/DOE_JANE.svs.tmp: busy", "slide-1.tmp: busy"),
        ("in /data/Jane Doe/other.svs", "in …/other.svs"),
        ("DOE_JANE.svs is damaged", "slide-1 is damaged"),
        ("DOE_JANE is damaged", "slide-1 is damaged"),
        ("DOE_JANES is another word", "DOE_JANES is another word"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_message_shows_a_file_under_the_name_that_it_may(message: str, expected: str) -> None:
    assert hide_names(message, {Path("/data/Jane Doe/DOE_JANE.svs"): "slide-1"}) == expected


@pytest.mark.skipif(os.name == "nt", reason="paths of other systems")
def test_a_short_name_is_hidden_only_as_a_whole() -> None:
    """A slide called "is.svs" must not take a word out of every sentence."""
    assert hide_names("this is is.svs", {Path("/data/is.svs"): "slide-1"}) == "this is slide-1"


@pytest.mark.skipif(os.name == "nt", reason="paths of other systems")
def test_of_two_files_the_longer_path_is_hidden_first() -> None:
    files = {Path("/data/case.svs"): "slide-1", Path("/data/case.svs.d/part.svs"): "slide-2"}
    assert hide_names("/data/case.svs.d/part.svs and /data/case.svs", files) == "slide-2 and slide-1"


def test_a_name_with_special_characters_is_taken_literally() -> None:
    path = Path("a+b (1).svs")
    assert hide_names("read a+b (1).svs", {path: r"slide-\1"}) == r"read slide-\1"


def test_a_path_is_known_in_every_form_that_a_message_may_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "true.svs").touch()
    (tmp_path / "link.svs").symlink_to(tmp_path / "true.svs")
    monkeypatch.chdir(tmp_path)
    forms = forms_of_path(Path("link.svs"))
    assert {"link.svs", str(tmp_path / "link.svs"), os.path.realpath(tmp_path / "true.svs")} <= set(forms)
    assert [len(form) for form in forms] == sorted((len(form) for form in forms), reverse=True)


# Two files that claim to be one image.


def _instance(uid: str) -> bytes:
    return _element(8, 0x18, b"UI", (uid + "\0" * (len(uid) % 2)).encode())


def test_files_that_claim_to_be_one_image_and_differ_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(_dicom("1.2.3", _instance("7.1")))
    refuse_contradicting_copies(path, str(path))
    (tmp_path / "copy.dcm").write_bytes(path.read_bytes())
    refuse_contradicting_copies(path, str(path))  # an equal copy says the same
    (tmp_path / "other.dcm").write_bytes(_dicom("1.2.3", _instance("7.2")))
    refuse_contradicting_copies(path, str(path))  # another image of the series
    (tmp_path / "foreign.dcm").write_bytes(_dicom("1.2.4", _instance("7.1")) + b"x")
    refuse_contradicting_copies(path, str(path))  # of another series
    (tmp_path / "changed.dcm").write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(
        UnreadableSlideError, match=r"3 files of its series claim to be the same image"
    ) as error:
        refuse_contradicting_copies(path, str(path))
    assert "changed.dcm" in str(error.value)
    assert "SOPInstanceUID" in (error.value.hint or "")


def test_a_pseudonymised_slide_names_none_of_its_files(tmp_path: Path) -> None:
    for number, tail in enumerate((b"", b"\0\0")):
        (tmp_path / f"DOE_{number}.dcm").write_bytes(_dicom("1.2.3", _instance("7.1")) + tail)
    with pytest.raises(UnreadableSlideError, match="slide-1: 2 files") as error:
        refuse_contradicting_copies(tmp_path / "DOE_0.dcm", "slide-1")
    assert "DOE" not in str(error.value)


def test_files_without_an_instance_do_not_contradict_each_other(tmp_path: Path) -> None:
    for number, tail in enumerate((b"", b"\0\0")):
        (tmp_path / f"{number}.dcm").write_bytes(_dicom("1.2.3") + tail)
    refuse_contradicting_copies(tmp_path / "0.dcm", "slide-1")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Aperio GT450 DX", True),
        ("Scanner 1234", True),
        ("Scanner 12345", False),
        ("12 Scanner", False),
        ("Jane: Doe", False),
        ("x" * 40, True),
        ("x" * 41, False),
        ("", False),
    ],
)
def test_words_leave_only_where_they_look_technical(words: str, *, kept: bool) -> None:
    assert allowed_words(words) == (words if kept else "")


def test_two_processes_that_make_a_key_at_once_agree_on_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's key appears between looking and linking: it counts."""
    link = os.link

    def other_first(draft: Path, path: Path) -> None:
        Path(path).write_text("k" * 64, encoding="ascii")
        link(draft, path)

    monkeypatch.setattr(os, "link", other_first)
    assert pseudonym_key() == b"k" * 64
    assert [file.name for file in key_path().parent.iterdir()] == ["pseudonym.key"]


def test_a_file_system_without_hard_links_keeps_the_key_too(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(draft: Path, path: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    first = pseudonym_key()
    assert pseudonym_key() == first
    assert [file.name for file in key_path().parent.iterdir()] == ["pseudonym.key"]
