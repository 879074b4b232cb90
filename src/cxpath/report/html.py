"""How pages are made: templates, embedded pictures, wording and PDF."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from cxpath.errors import OutputError
from cxpath.io.atomic import atomic_write
from cxpath.scores.counts import two_decimals

# Pictures inside the page: as data URIs, made small enough together that the file can be mailed.


logger = logging.getLogger(__name__)

BUDGET_BYTES = 14_000_000
_STEPS = ((1800, 86), (1300, 84), (1000, 80), (800, 76), (640, 72), (480, 68), (320, 60), (200, 50))
"""Longest side in pixels and JPEG quality, from best to smallest."""

_AT_ONCE = 4


def embedded(pictures: Mapping[str, Path], budget_bytes: int = BUDGET_BYTES) -> dict[str, str]:
    """Return data URIs by name, at the best of a few sizes at which they fit the budget together.

    Parameters
    ----------
    pictures : mapping of str to Path
    budget_bytes : int
        For all URIs together.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        opened = list(pool.map(_opened, pictures.values()))  # once each: unpacking takes most of the time
        for side_px, quality in _STEPS:
            uris = list(pool.map(_jpeg_uri, opened, repeat(side_px), repeat(quality)))
            if sum(map(len, uris)) <= budget_bytes:
                return dict(zip(pictures, uris, strict=True))
    logger.warning("%d pictures do not fit the page and were left out", len(pictures))
    return {}


def data_uri(path: Path, side_px: int, quality: int) -> str:
    """Return a picture as a JPEG data URI, no side longer than `side_px`.

    Only pixels are kept: whatever else the file says about itself stays behind.
    """
    return _jpeg_uri(_opened(path), side_px, quality)


def _jpeg_uri(picture: Image.Image, side_px: int, quality: int) -> str:
    if max(picture.size) > side_px:
        picture = picture.copy()
        picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


# Filling a page's template: everything escaped, nothing undefined, the style sheets inside the page.


def render_page(template: str, styles: Sequence[str] = ("report.css",), **content: Any) -> str:
    """Return a page's HTML.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`.
    styles : sequence of str
        Our own style sheets there, which are not escaped.
    **content
        What the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxpath.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = capitalize_first
    folder = files("cxpath.report") / "templates"
    css = Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in styles))
    return environment.get_template(template).render(css=css, **content)


def capitalize_first(text: object) -> str:
    """Return a text with its first letter in upper case and the rest as it is."""
    words = str(text)
    return words[:1].upper() + words[1:]


# A page as PDF, through WeasyPrint where it is installed (`pip install 'cxpath[pdf]'`).


def write_pdf(html: str, path: Path) -> None:
    """Print a page on A4.

    Parameters
    ----------
    html : str
    path : Path

    Raises
    ------
    OutputError
        When WeasyPrint, or a library that it needs, is not installed.
    """
    require_pdf()
    from weasyprint import HTML  # noqa: PLC0415  (an extra)

    # It speaks of every style that is for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    with atomic_write(path) as partial:
        HTML(string=html).write_pdf(partial)


def require_pdf() -> None:
    """Make sure that PDF can be written, before anything else is.

    Raises
    ------
    OutputError
        When it cannot.
    """
    try:
        import weasyprint  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:  # OSError: Pango is missing
        raise OutputError(
            "PDF needs WeasyPrint, which is not installed or lacks Pango",
            "pip install 'cxpath[pdf]', or print the HTML page from a browser",
        ) from error


# Numbers and verdicts in words, as a pathologist reads them.


RESEARCH_USE = "For Research Use Only. Not for use in diagnostic procedures."
REVIEW = "near the cut-off: pathologist review"
MISSING = "–"

_THIN_SPACE = "\u202f"


def whole(number: float | None) -> str:
    """Return a count with thin spaces between thousands."""
    return MISSING if number is None else f"{round(number):,}".replace(",", _THIN_SPACE)


def score_number(value: float | None) -> str:
    """Return a score with two decimals below 10 and one above."""
    return MISSING if value is None else _decimals(value, 2 if value < 10 else 1)


def precise(value: float | None) -> str:
    """Return a score with two decimals, floored as its printed form is: 35.999 beside "35" is "35.99"."""
    return MISSING if value is None else two_decimals(value)


def interval(bounds: Sequence[float | None] | None) -> str:
    """Return "10.1 to 14.9", or a dash where there is no interval; both ends with as many decimals."""
    known = [bound for bound in bounds or () if bound is not None]
    if len(known) != 2:
        return MISSING
    places = 1 if known[0] >= 1 and known[1] >= 10 else 2
    return f"{_decimals(known[0], places)} to {_decimals(known[1], places)}"


def _decimals(value: float, places: int) -> str:
    """Round, but never across 1, 10 or 100: what lies below a cut-off is printed below it."""
    text = f"{value:.{places}f}"
    crossed = [cutoff for cutoff in (1, 10, 100) if value < cutoff <= float(text)]
    return f"{crossed[0] - 0.1**places:.{places}f}" if crossed else text


def area(mm2: float | None) -> str:
    """Return square millimetres with two decimals."""
    return MISSING if mm2 is None else f"{mm2:.2f} mm²"


def percent(share: float) -> str:
    """Return a share as per cent: "34 %", "0.8 %", "<0.1 %"."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def probability(value: float | None) -> str:
    """Return "probability 0.999"; the ends are never written as certainty."""
    if value is None:
        return "probability not computed"
    if value > 0.9995:
        return "probability >0.999"
    return "probability <0.001" if value < 0.0005 else f"probability {value:.3g}"


@dataclass(frozen=True)
class CutoffLine:
    """One cut-off in words.

    Parameters
    ----------
    threshold : str
        "CPS ≥ 1".
    basis : str
        "label cut-off", or "trial stratum, not a label".
    verdict : str
        "met", "not met" or "not decided".
    chance : str
        "probability 0.999".
    borderline : bool
    symbol : str
        Filled (met), hollow (not met) or half (borderline, not decided): the verdict's shape.
    note : str
        Why a cut-off inside the interval is not borderline, or one outside it is; mostly empty.
    """

    threshold: str
    basis: str
    verdict: str
    chance: str
    borderline: bool
    symbol: str
    note: str = ""

    @property
    def sentence(self) -> str:
        """Return the line as it reads aloud."""
        review = f"; {REVIEW}" if self.borderline else ""
        return f"{self.threshold} ({self.basis}): {self.verdict}, {self.chance}{review}"


def cutoff_lines(
    cutoffs: Mapping[str, Mapping[str, Any]] | None, interval_tissue: Sequence[float | None] | None = None
) -> list[CutoffLine]:
    """Return the cut-offs in rising order, each with a note where the interval seems to say otherwise."""
    ordered = sorted((cutoffs or {}).items(), key=lambda item: float(item[0]))
    return [_cutoff_line(float(cutoff), entry, interval_tissue) for cutoff, entry in ordered]


def _cutoff_line(
    cutoff: float, entry: Mapping[str, Any], interval_tissue: Sequence[float | None] | None
) -> CutoffLine:
    basis = str(entry.get("basis", ""))
    met, borderline = entry.get("met"), bool(entry.get("borderline"))
    verdict = {True: "met", False: "not met"}.get(met, "not decided")  # type: ignore[arg-type]
    return CutoffLine(
        threshold=f"CPS ≥ {cutoff:g}",
        basis="label cut-off" if basis == "label" else basis,
        verdict=verdict,
        chance=probability(entry.get("probability")),
        borderline=borderline,
        symbol="half" if borderline or met is None else ("full" if met else "hollow"),
        note=_note(cutoff, entry, interval_tissue),
    )


def _note(cutoff: float, entry: Mapping[str, Any], interval_tissue: Sequence[float | None] | None) -> str:
    met, chance = entry.get("met"), entry.get("probability")
    known = [bound for bound in interval_tissue or () if bound is not None]
    if met is None or chance is None or len(known) != 2:
        return ""
    crosses, other = known[0] < cutoff <= known[1], 1 - chance if met else chance
    if not entry.get("borderline"):
        unlikely = f"inside the interval, but far away and unlikely to be crossed ({other:.2g})"
        return unlikely if crosses else ""
    if other > 0.5:
        side = "below" if met else "at or above"
        return f"with the errors that are known, the tumour’s CPS rather lies {side} {cutoff:g}"
    return "" if crosses else f"outside the interval, but near and not unlikely enough ({other:.2g})"


def seconds(duration: float) -> str:
    """Return "37.2 s", or "12 min 5 s" for long ones."""
    minutes, rest = divmod(round(duration), 60)
    return f"{duration:.1f} s" if duration < 100 else f"{minutes} min {rest} s"
