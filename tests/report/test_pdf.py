from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxpath.report.patient_sheet import patient_sheet
from cxpath.report.pdf import write_pdf
from cxpath.values.errors import OutputError
from tests.therapy import patients as of
from tests.therapy.patients import reviewed


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


def test_the_patients_sheet_is_one_page() -> None:
    reason = "the extra cxpath[pdf]"
    weasyprint = pytest.importorskip("weasyprint", exc_type=(ImportError, OSError), reason=reason)  # type: ignore[arg-type]
    for fields in (of.FIRST_LINE, of.LATER_LINE, of.MSI, {}):
        sheet = patient_sheet(reviewed(fields), "25 November 2026")
        assert len(weasyprint.HTML(string=sheet).render().pages) == 1
