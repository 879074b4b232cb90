"""The gallery of fields on disk: two pictures each and `fields.json`. Which fields, others decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.report.field_picture import field_picture, plain_field_picture
from cxpath.report.png_file import write_png
from cxpath.values.cell_table import Kind

SCHEMA = "cxpath/fields/1"

_AT_ONCE = 4
"""Pictures are drawn and packed side by side: both are done outside Python."""

INFLUENCE = "influence"
"""Bucket of the fields that move the score most."""


@dataclass(frozen=True, eq=False)
class FieldView:
    """A field to show.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
        Its pixels.
    mpp : float
        Micrometres per pixel of `rgb`.
    x_px, y_px : float array, (N,)
        Cell centres in pixels of `rgb`.
    kind : uint8 array, (N,)
        As `Kind`.
    positive : bool array, (N,)
        Whether the cell is PD-L1 positive.
    counted : bool array, (N,)
        Whether it enters the numerator; stained immune cells far from tumour do not.
    left_um, top_um : float
        Where the field's top left corner lies on the slide, from the slide's top left.
    caption : str
        Why it is shown, for instance "raises the score most".
    local_cps : float or None
        CPS of the field's own cells; None without tumour cells.
    bucket : str
        `INFLUENCE`, or the class of local CPS it was drawn from.
    """

    rgb: NDArray[np.uint8]
    mpp: float
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    positive: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    left_um: float
    top_um: float
    caption: str
    local_cps: float | None = None
    bucket: str = INFLUENCE

    def counts(self) -> dict[str, int]:
        """Return the number of cells by the names that `score.json` uses."""
        tumour, immune = self.kind == Kind.TUMOUR, self.kind == Kind.IMMUNE
        return {
            "tumour_positive": int(np.count_nonzero(tumour & self.positive)),
            "tumour_negative": int(np.count_nonzero(tumour & ~self.positive)),
            "immune_positive": int(np.count_nonzero(immune & self.positive & self.counted)),
            "immune_negative": int(np.count_nonzero(immune & ~self.positive)),
            "immune_positive_not_associated": int(np.count_nonzero(immune & self.positive & ~self.counted)),
            "other": int(np.count_nonzero(self.kind == Kind.OTHER)),
        }


def write_fields(folder: Path, fields: Sequence[FieldView]) -> None:
    """Write `fields/NN.png`, `fields/NN_cells.png` and `fields/fields.json` into a run's folder."""
    target = folder / "fields"
    target.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        numbers = range(1, len(fields) + 1)
        entries = list(pool.map(lambda number, field: _write_field(target, number, field), numbers, fields))
    with whole_file(target / "fields.json") as partial:
        document = {"schema": SCHEMA, "fields": entries}
        partial.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def _write_field(target: Path, number: int, field: FieldView) -> dict[str, Any]:
    plain, marked = f"{number:02d}.png", f"{number:02d}_cells.png"
    pictures = {
        plain: plain_field_picture(field.rgb, field.mpp),
        marked: field_picture(
            field.rgb, field.x_px, field.y_px, field.kind, field.positive, field.mpp, field.counted
        ),
    }
    for name, picture in pictures.items():
        write_png(picture, target / name)
    height, width = field.rgb.shape[:2]
    return {
        "number": number,
        "bucket": field.bucket,
        "plain": plain,
        "marked": marked,
        "left_um": round(field.left_um, 1),
        "top_um": round(field.top_um, 1),
        "width_um": round(width * field.mpp, 1),
        "height_um": round(height * field.mpp, 1),
        "caption": field.caption,
        "local_cps": field.local_cps,
        "counts": field.counts(),
    }
