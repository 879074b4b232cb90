"""What a reader's hand does on the cohort page: sort, search, ask for those near a cut-off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cxpath.report.cohort_page import build_cohort_page
from tests.browser import seen_after
from tests.report.test_cohort_page import row

SLIDES = [
    row("s10", "scored", cps=2.0, cps_reported="2.0", seconds=9.0),
    row("s9", "scored", cps=12.0, cps_reported="12", borderline=True, seconds=41.0),
    row("s2", "scored", cps=0.3, cps_reported="<1", seconds=100.0),
    row("s1", "failed", reason="damaged", hint="copy it again"),
]
CLICK = "const press = (name) => [...document.querySelectorAll('table.slides thead button')]"
CLICK += ".find((one) => one.textContent.trim() === name).click();"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return build_cohort_page(tmp_path, SLIDES, ())


def order(html: str) -> list[str]:
    """Return the slides of the rows that are shown, from the top."""
    body = html[html.index("<tbody", html.index('class="slides')) :]
    rows = re.findall(r"<tr[^>]*>.*?</tr>", body[: body.index("</tbody>")], re.DOTALL)
    shown = [re.sub(r"<[^>]*>", " ", text) for text in rows if not re.match(r"<tr[^>]*\bhidden", text)]
    return [re.findall(r"\bs\d+\b", text)[0] for text in shown]


def test_a_click_sorts_by_number_and_what_is_unknown_stays_last(page: Path) -> None:
    assert order(seen_after(page, f"{CLICK} press('CPS');")) == ["s2", "s10", "s9", "s1"]
    assert order(seen_after(page, f"{CLICK} press('CPS'); press('CPS');")) == ["s9", "s10", "s2", "s1"]
    assert order(seen_after(page, f"{CLICK} press('Slide');")) == ["s1", "s2", "s9", "s10"]


def test_search_and_the_box_leave_what_they_name(page: Path) -> None:
    typed = "const box = document.querySelector('#search'); box.value = 'FAILED';"
    html = seen_after(page, f"{typed} box.dispatchEvent(new Event('input'));")
    assert order(html) == ["s1"]
    assert "1 of 4 slides" in html
    assert order(seen_after(page, "document.querySelector('#review').click();")) == ["s9"]
