from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
import tifffile

from cxpath.errors import ConfigurationError
from cxpath.slide.open import open_slide
from cxpath.slide.privacy import (
    allowed_properties,
    key_path,
    one_line,
    printable,
    pseudonym,
    pseudonym_key,
    shown_as,
)
from tests.slide.synthetic_slides import PLANTED


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
