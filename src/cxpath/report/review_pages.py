"""What a person's review shows: the contact sheet of an audit, and the section of the slide's report.

The page needs no connection: pictures are inside it, and it saves the answers as a CSV of its own making.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.documents import (
    PDL1,
    RESULT_LETTERS,
    AuditedScore,
    Estimate,
    FieldEntry,
    ReviewState,
    ScoreBasis,
    ScoreDocument,
)
from cxpath.report.html import MISSING, arithmetic, interval, render_page, whole

# The contact sheet: one crop a cell, its call hidden, and the answers as radio buttons.


CROP_UM = 76.0
"""Side of the tissue around a cell: 64 µm at least are needed to see its surroundings."""

_SHOWN_PX = 320
_QUALITY = 90
_TICK_PX = 14
_INNER_UM = (11.0, 14.5)
"""From and to where thin marks point at the cell, outside even a large one."""

_MARK = (255, 255, 0)


@dataclass(frozen=True, eq=False)
class CellCrop:
    """A cell to show.

    Parameters
    ----------
    name : str
        As in the table of answers: "C001".
    rgb : uint8 array, (side, side, 3)
        The cell lies in the middle.
    asks_stained : bool
    """

    name: str
    rgb: NDArray[np.uint8]
    asks_stained: bool


@dataclass(frozen=True, eq=False)
class SquareCrop:
    """A square in which missed cells are counted.

    Parameters
    ----------
    name : str
        As in the table of answers: "S1".
    rgb : uint8 array, (side, side, 3)
        With a margin around the square.
    margin : float
        Width of the margin as a share of the picture's side.
    found : float array, (N, 2)
        x and y of the cells that were found, as shares of the picture's side.
    """

    name: str
    rgb: NDArray[np.uint8]
    margin: float
    found: NDArray[np.float64]


def audit_page(
    slide_name: str, audit: str, cells: Sequence[CellCrop], squares: Sequence[SquareCrop], research_use: str
) -> str:
    """Return the contact sheet's HTML.

    Parameters
    ----------
    slide_name : str
        As the run shows it.
    audit : str
        Identifies the draw in the table of answers.
    cells : sequence of CellCrop
    squares : sequence of SquareCrop
    research_use : str
    """
    return render_page(
        "audit.html.j2",
        slide_name=slide_name,
        audit=audit,
        crop_um=CROP_UM,
        cells=[
            {"name": one.name, "picture": _uri(_ticked(one.rgb)), "asks_stained": one.asks_stained}
            for one in cells
        ],
        squares=[{"name": one.name, "picture": _uri(_framed(one))} for one in squares],
        research_use=research_use,
    )


def _enlarged(rgb: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(rgb[..., :3]))
    return picture.resize((_SHOWN_PX, _SHOWN_PX), Image.Resampling.BICUBIC)


def _ticked(rgb: NDArray[np.uint8]) -> Image.Image:
    """Point at the middle from all four sides, and leave the cell and its surroundings free."""
    picture = _enlarged(rgb)
    draw, middle, last = ImageDraw.Draw(picture), _SHOWN_PX / 2, _SHOWN_PX - 1
    for line in (
        (middle, 0, middle, _TICK_PX),
        (middle, last - _TICK_PX, middle, last),
        (0, middle, _TICK_PX, middle),
        (last - _TICK_PX, middle, last, middle),
    ):
        draw.line(line, fill=(0, 0, 0), width=5)
        draw.line(line, fill=_MARK, width=3)
    near, far = (middle + length / CROP_UM * _SHOWN_PX for length in _INNER_UM)
    for start, end in ((near, far), (_SHOWN_PX - near, _SHOWN_PX - far)):
        for inner in ((middle, start, middle, end), (start, middle, end, middle)):
            draw.line(inner, fill=(0, 0, 0), width=3)
            draw.line(inner, fill=_MARK, width=1)
    return picture


def _framed(square: SquareCrop) -> Image.Image:
    """Frame the square and put a small ring on every cell that was found, the same for all classes."""
    picture = _enlarged(square.rgb)
    draw, margin = ImageDraw.Draw(picture), square.margin * _SHOWN_PX
    draw.rectangle((margin, margin, _SHOWN_PX - margin, _SHOWN_PX - margin), outline=_MARK, width=2)
    for x, y in square.found * _SHOWN_PX:
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), outline=(0, 0, 0), width=3)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=_MARK, width=1)
    return picture


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# From a field of the report to the same field in the review.


def review_link(entry: FieldEntry, score: ScoreDocument) -> str | None:
    """Return the address of a field in the review of this result; None where it cannot be reviewed."""
    if not reviewable(score):
        return None
    x_px = (entry.left_um + entry.width_um / 2) / score.slide.mpp
    y_px = (entry.top_um + entry.height_um / 2) / score.slide.mpp
    where = f"field_x={x_px:.0f}&field_y={y_px:.0f}&of={score.scored_digest[:RESULT_LETTERS]}"
    return f"http://127.0.0.1:{score.review_port}/open?{where}"


def reviewable(score: ScoreDocument) -> bool:
    """Say whether `cxpath review open` takes the result: a whole slide scored for PD-L1."""
    return score.marker == PDL1 and score.sampling is None


# What the report says of a review: the scores side by side, the answers, the record.


Section = Mapping[str, object]


def reviewed_section(score: ScoreDocument) -> Section | None:
    """Return what a review amounts to, in words; None where none was begun."""
    if score.review is None:
        return None
    read, audited = score.deciding, score.audited
    return {
        "rows": list(_score_rows(score)),
        "basis": read.basis.words,
        "changes": _changes(score.review),
        "audit": _audit(audited) if audited else None,
        "signature": _signature(score.review),
        "events": whole(score.review.events),
        "head_hash": score.review.head_hash,
    }


def _score_rows(score: ScoreDocument) -> Iterator[Section]:
    """Yield the scores side by side, that of the network first; none is mixed with another."""
    decides = score.deciding.basis
    edited = score.review.edited if score.review else None
    yield _row("Network", score.cps, decides=decides is ScoreBasis.NETWORK)
    if score.review and (adapted := score.review.adapted):
        gains = "" if adapted.offered else ": no gain, as the network"
        yield _row(
            f"Network, adapted to {adapted.reviewer}'s answers{gains}", adapted.estimate, decides=False
        )
    if edited:
        yield _row(f"After edits by {edited.reviewer}", edited.estimate, decides=decides is ScoreBasis.EDITED)
    if audited := score.audited:
        name = f"Audited by {audited.reviewer}, {moment(audited.utc)}"
        yield _row(name, audited.estimate, decides=decides is ScoreBasis.AUDITED)


def _row(name: str, estimate: Estimate | None, *, decides: bool) -> Section:
    if estimate is None:
        return {"name": name, "cps": "not evaluable", "tissue": MISSING, "slide": MISSING, "decides": decides}
    return {
        "name": name,
        "cps": f"{estimate.reported} ({arithmetic(estimate.value)})",
        "tissue": interval(estimate.interval_tissue),
        "slide": interval(estimate.interval_slide),
        "decides": decides,
    }


def _changes(review: ReviewState) -> str:
    edited = review.edited
    if edited is None:
        return ""
    parts = (
        (edited.changed, "cell", "changed"),
        (edited.added, "cell", "added"),
        (edited.removed, "cell", "removed"),
        (edited.accepted_fields, "field", "accepted"),
        (edited.regions, "region", "drawn"),
    )
    return ", ".join(
        f"{whole(number)} {noun}{'' if number == 1 else 's'} {what}" for number, noun, what in parts if number
    )


def _audit(audited: AuditedScore) -> Section:
    unsure = audited.cannot_tell
    return {
        "answers": whole(audited.n),
        "cannot_tell": whole(unsure) if unsure else None,
        "bounds": " and ".join(map(arithmetic, audited.bounds)) if unsure else None,
        "strata": [
            {
                "name": one.name,
                "cells": whole(one.cells),
                "answered": whole(one.answered),
                "cannot_tell": whole(one.cannot_tell),
                "in_numerator": whole(one.in_numerator),
                "in_denominator": whole(one.in_denominator),
            }
            for one in audited.answers
            if one.cells
        ],
        "seed": str(audited.seed),
        "method": audited.method,
        "warnings": list(audited.warnings),
    }


def _signature(review: ReviewState) -> str:
    signed = review.signature
    if signed is None:
        return ""
    return f"{signed.meaning} by {signed.name}, {moment(signed.utc)}"


def moment(iso: str) -> str:
    """Return "23 November 2026, 09:14 UTC"; a text that is no time stays as it is."""
    try:
        at = datetime.fromisoformat(iso).astimezone(UTC)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M} UTC"
