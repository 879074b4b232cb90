from __future__ import annotations

from pathlib import Path

from cxpath.slide.errors import one_line, printable, shown_as


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
