from __future__ import annotations

from pathlib import Path

from cxpath.slide.errors import one_line


def test_library_messages_become_one_short_line() -> None:
    assert (
        one_line(OSError("cannot\n read /a/b.svs\tat all"), Path("/a/b.svs")) == "cannot read the file at all"
    )
    assert one_line(OSError(""), Path("x")) == "OSError"
    assert len(one_line(OSError("x" * 900), Path("y"))) == 160
