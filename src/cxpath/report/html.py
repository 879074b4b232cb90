"""What pages are made of: templates, wording and PDF; colours, letters and files of their pictures."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import imagecodecs
import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cxpath.documents import CutoffEntry, Estimate
from cxpath.errors import DocumentError, OutputError
from cxpath.io import atomic_write
from cxpath.scores import Decision, printed_form, printed_interval, two_decimals

# Pictures inside the page: as data URIs, made small enough together that the file can be mailed.


logger = logging.getLogger(__name__)

BUDGET_BYTES = 14_000_000
_STEPS = ((1800, 86), (1200, 80), (1000, 78), (800, 76), (640, 72), (480, 68), (320, 60), (200, 50))
"""Longest side in pixels and JPEG quality, from best to smallest; the second leaves fields at their size."""

_AT_ONCE = 4


def embedded(
    pictures: Mapping[str, Path],
    budget_bytes: int = BUDGET_BYTES,
    drawn: Mapping[str, Image.Image] = MappingProxyType({}),
) -> dict[str, str]:
    """Return data URIs by name, at the best of a few sizes at which they fit the budget together.

    Parameters
    ----------
    pictures : mapping of str to Path
    budget_bytes : int
        For all URIs together.
    drawn : mapping of str to PIL.Image.Image
        Pictures, in RGB, that were written just now and need not be unpacked again.
    """
    with ThreadPoolExecutor(_AT_ONCE, "report-pictures") as pool:
        # Once each: unpacking takes most of the time.
        opened = list(pool.map(lambda name: drawn.get(name) or _opened(pictures[name]), pictures))
        for side_px, quality in _STEPS:
            uris = _packed(pool, opened, side_px, quality, budget_bytes)
            if len(uris) == len(opened):
                return dict(zip(pictures, uris, strict=True))
    logger.warning("%d pictures do not fit the page and were left out", len(pictures))
    return {}


def _packed(
    pool: ThreadPoolExecutor, opened: Sequence[Image.Image], side_px: int, quality: int, budget_bytes: int
) -> list[str]:
    """Return data URIs of pictures, in order, up to the first that exceeds the budget."""
    uris: list[str] = []
    for start in range(0, len(opened), _AT_ONCE):
        some = opened[start : start + _AT_ONCE]
        for uri in pool.map(_jpeg_uri, some, repeat(side_px), repeat(quality)):
            budget_bytes -= len(uri)
            if budget_bytes < 0:
                return uris
            uris.append(uri)
    return uris


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
    # Half the resolution for colours, as scanners store them: a finer size fits the page, in half the time.
    picture.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # as Pillow has it
        raise DocumentError(f"{path}: the picture is damaged", "score the slide again") from error


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
    folder = files("cxpath.report") / "templates"
    css = Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in styles))
    return compiled_page(template).render(css=css, **content)


def compiled_page(template: str) -> jinja2.Template:
    """Return a page's template, compiled once in a process: that takes longer than filling it."""
    return _environment().get_template(template)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxpath.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = capitalize_first
    return environment


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


MISSING = "–"

_THIN_SPACE = "\u202f"


def whole(number: float | None) -> str:
    """Return a count with thin spaces between thousands."""
    return MISSING if number is None else f"{round(number):,}".replace(",", _THIN_SPACE)


def score_form(value: float | None) -> str:
    """Return a score in its printed form, the same on every page and terminal."""
    return MISSING if value is None else printed_form(value)


def arithmetic(value: float | None) -> str:
    """Return the result of a formula with two decimals, floored: what its printed form is made from."""
    return MISSING if value is None else two_decimals(value)


def interval(bounds: tuple[float, float] | None) -> str:
    """Return "0.1 to 22", or a dash where there is no interval."""
    return MISSING if bounds is None else printed_interval(*bounds)


def area(mm2: float | None) -> str:
    """Return square millimetres with two decimals."""
    return MISSING if mm2 is None else f"{mm2:.2f} mm²"


def percent(share: float) -> str:
    """Return a share as per cent: "34 %", "0.8 %", "<0.1 %"."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def probability(value: float) -> str:
    """Return a probability with two decimals; the ends are never written as certainty."""
    return ">0.99" if value > 0.995 else "<0.01" if value < 0.005 else f"{value:.2f}"


_SYMBOLS = {Decision.MET: "full", Decision.NOT_MET: "hollow", Decision.UNCERTAIN: "half"}
_BASES = {"label": "label cut-off"}


@dataclass(frozen=True)
class CutoffLine:
    """One cut-off in words.

    Parameters
    ----------
    threshold : str
        "CPS ≥ 1".
    basis : str
        "label cut-off", or "trial stratum, not a label".
    decision : str
        "met", "uncertain" or "not met".
    doubt : str
        Of an uncertain cut-off: how probable it is that the tumour reaches it; else empty.
    review : str
        What a borderline cut-off asks for; else empty.
    symbol : str
        Filled (met), hollow (not met) or half (uncertain): the shape of the decision.
    """

    threshold: str
    basis: str
    decision: str
    doubt: str
    review: str
    symbol: str

    @property
    def sentence(self) -> str:
        """The line as it reads aloud."""
        said = "; ".join(part for part in (self.doubt, self.review) if part)
        return f"{self.threshold} ({self.basis}): {self.decision}{f', {said}' if said else ''}"


def cutoff_lines(score: Estimate) -> list[CutoffLine]:
    """Return the cut-offs of a CPS in rising order."""
    return [_cutoff_line(cutoff, entry) for cutoff, entry in score.decided]


def _cutoff_line(cutoff: float, entry: CutoffEntry) -> CutoffLine:
    uncertain = entry.decision is Decision.UNCERTAIN
    doubt = f"probability {probability(entry.probability)} that the tumour reaches it" if uncertain else ""
    return CutoffLine(
        threshold=f"CPS ≥ {cutoff:g}",
        basis=_BASES.get(entry.basis, entry.basis),
        decision=entry.decision.value,
        doubt=doubt,
        review=entry.review or "",
        symbol=_SYMBOLS[entry.decision],
    )


def review_sentence(score: Estimate) -> str:
    """Return "Near CPS ≥ 1: pathologist review"; empty where no cut-off is borderline."""
    if not score.borderline:
        return ""
    named = " and ".join(f"CPS ≥ {cutoff:g}" for cutoff in score.borderline)
    return f"Near {named}: pathologist review"


def seconds(duration: float) -> str:
    """Return "37.2 s", or "12 min 5 s" for long ones."""
    minutes, rest = divmod(round(duration), 60)
    return f"{duration:.1f} s" if duration < 100 else f"{minutes} min {rest} s"


# Colours, letters and picture files that all pictures share.


# The colours of pictures and page: Okabe & Ito's, distinguished by colour-blind readers, never used alone.


Colour = tuple[int, int, int]

POSITIVE: Colour = (230, 120, 0)
POSITIVE_EDGE: Colour = (110, 44, 0)
NEGATIVE: Colour = (0, 114, 178)
OTHER: Colour = (90, 90, 90)
SCORED: Colour = (0, 90, 156)
EXCLUDED: Colour = (170, 68, 0)
INK: Colour = (38, 44, 52)
PAPER: Colour = (255, 255, 255)

LEFT_OUT: tuple[Colour, ...] = (
    (170, 68, 0),
    (0, 0, 0),
    (204, 60, 150),
    (0, 120, 90),
    (200, 0, 0),
    (0, 90, 156),
    (140, 100, 0),
    (95, 40, 140),
)
"""Reasons for leaving tissue out; each has a pattern of its own next to its colour."""


# Text and scale bars on pictures.


_ROUND_LENGTHS_UM = (
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000,
)  # fmt: skip


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the letters of all pictures: DejaVu Sans as it comes with matplotlib.

    Pillow's own letters have no µ.
    """
    return ImageFont.truetype(_letters(), size_px)


@cache
def _letters() -> Path:
    """Return the font's file; where it is not next to matplotlib, matplotlib is asked, slow to import."""
    inside = Path("fonts", "ttf", "DejaVuSans.ttf")
    found = find_spec("matplotlib")
    if found and found.origin and (nearby := Path(found.origin).with_name("mpl-data") / inside).is_file():
        return nearby
    import matplotlib as mpl  # noqa: PLC0415

    return Path(mpl.get_data_path()) / inside


def scale_bar_um(width_px: int, mpp: float) -> float:
    """Return the round length in µm that is nearest below a quarter of a picture's width."""
    limit_um = width_px * mpp / 4
    return max((length for length in _ROUND_LENGTHS_UM if length <= limit_um), default=_ROUND_LENGTHS_UM[0])


def length_in_words(length_um: float) -> str:
    """Return "500 µm" or "2 mm"."""
    return f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"


def draw_scale_bar(
    draw: ImageDraw.ImageDraw, right_px: float, middle_px: float, width_px: int, mpp: float, size_px: int
) -> float:
    """Draw a labelled bar that ends at `right_px` and return where it begins.

    Parameters
    ----------
    draw : ImageDraw
    right_px, middle_px : float
        Right end of the bar and the height it is centred on.
    width_px : int
        Width of the picture that the bar measures.
    mpp : float
        Micrometres per pixel of that picture.
    size_px : int
        Height of the letters.
    """
    length_um = scale_bar_um(width_px, mpp)
    label = length_in_words(length_um)
    left_px = right_px - length_um / mpp
    half_px = max(2, size_px // 7)
    draw.rectangle((left_px, middle_px - half_px, right_px, middle_px + half_px), fill=INK)
    start_px = left_px - size_px * 0.6 - draw.textlength(label, font=font(size_px))
    draw.text((start_px, middle_px), label, font=font(size_px), fill=INK, anchor="lm")
    return start_px


# What the tissue picture and the heatmap share: an overview at a readable size above a strip for legends.


SMALLEST_SIDE_PX, LARGEST_SIDE_PX = 1000, 1800
LETTER_PX = 22


def readable_overview(rgb: NDArray[np.uint8]) -> tuple[Image.Image, float]:
    """Return the overview with its longer side between 1000 and 1800 px, and by how much it grew."""
    picture = Image.fromarray(np.ascontiguousarray(rgb[..., :3]))
    longest = max(picture.size)
    factor = min(max(longest, SMALLEST_SIDE_PX), LARGEST_SIDE_PX) / longest
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS), factor


def above_strip(picture: Image.Image, strip_px: int) -> Image.Image:
    """Return the picture with a white strip of the given height below it; at least 900 px wide."""
    sheet = Image.new("RGB", (max(picture.width, 900), picture.height + strip_px), PAPER)
    sheet.paste(picture, ((sheet.width - picture.width) // 2, 0))
    return sheet


# Pictures on disk: whole or not at all. Overviews are PNGs, fields JPEGs.


_QUICKLY = {
    "level": imagecodecs.PNG.COMPRESSION.SPEED,
    "filter": imagecodecs.PNG.FILTER.UP,
    "strategy": imagecodecs.PNG.STRATEGY.RLE,
}
"""Each row as its difference to the one above, of which only runs are looked for: a tenth larger than
Pillow's file, in less than half the time."""


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture's colours; an interrupted write leaves no half file.

    Parameters
    ----------
    picture : PIL.Image.Image
    path : Path
        Overwritten when it exists.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """
    packed = imagecodecs.png_encode(np.asarray(picture.convert("RGB")), **_QUICKLY)
    with atomic_write(path) as partial:
        partial.write_bytes(packed)


_FIELD_QUALITY = 95
"""Enlarged, such a picture looks like a PNG."""


def write_jpeg(picture: Image.Image, path: Path) -> None:
    """Write a picture as a JPEG that keeps the resolution of its colours; as `write_png` does.

    Such a file takes a third of a PNG's space and a fifth of its time.

    Parameters
    ----------
    picture : PIL.Image.Image
    path : Path
        Overwritten when it exists.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """
    with atomic_write(path) as partial:
        picture.convert("RGB").save(partial, format="JPEG", quality=_FIELD_QUALITY, subsampling="4:4:4")
