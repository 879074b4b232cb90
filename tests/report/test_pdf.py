from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxpath.report.pdf import write_pdf
from cxpath.values.errors import OutputError


def test_without_weasyprint_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(OutputError, match=r"cxpath\[pdf\]"):
        write_pdf("<p>page</p>", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_a_page_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", exc_type=(ImportError, OSError), reason="the extra cxpath[pdf]")  # type: ignore[arg-type]
    write_pdf("<p>page</p>", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
