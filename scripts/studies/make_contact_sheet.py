"""Draw what a model sees: drawn tissue and one real picture, plain and with cells marked, as WebP.

Run it as `python -m scripts.studies.make_contact_sheet MODEL FOLDER`. For Research Use Only. Not for use
in diagnostics.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from skimage import data

from cxpath.errors import CxpathError
from cxpath.evaluation.classifier import CellClassifier
from cxpath.metrics.cells import rescaled
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.synth.field import SyntheticField, make_field
from cxpath.synth.recipe import random_recipe
from scripts.studies.contact_sheet import Panel, ShownCells, contact_sheet, marked_panels, write_small

SEED, SYNTHETIC, SHOWN, SIDE_PX = (
    2026,
    30,
    6,
    384,
)  # six of 30 fields, evenly over their CPS; no training's seed


def shown_fields(mpp: float) -> list[SyntheticField]:
    """Return fields with enough tumour and immune cells, from the lowest CPS to the highest."""
    dice = [np.random.default_rng([SEED, number]) for number in range(SYNTHETIC)]
    fields = [make_field(random_recipe(rng, size_px=(SIDE_PX, SIDE_PX), mpp=mpp), rng) for rng in dice]
    full = [one for one in fields if (np.bincount(one.cells.kind, minlength=3)[:2] >= (50, 15)).all()]
    full.sort(key=lambda one: one.cells.true_cps())
    return [full[place] for place in np.linspace(0, len(full) - 1, SHOWN).astype(int)]


def sheets(caller: CellClassifier) -> Iterator[tuple[str, dict[str, list[Panel]]]]:
    """Yield rows of pictures by sheet; scikit-image's picture has 0.5 µm/px, assumed."""
    fields, colon = shown_fields(caller.mpp), rescaled(data.immunohistochemistry(), 0.5 / caller.mpp)
    true, rgb = [one.cells for one in fields], [*(one.rgb for one in fields), colon]
    truth = [ShownCells(one.x_px, one.y_px, one.kind, one.positive) for one in true]
    seen = [(*(one.points_um.T / caller.mpp), one) for one in map(caller.calls, rgb)]
    called = [ShownCells(x_px, y_px, one.kind, one.positive) for x_px, y_px, one in seen]
    words = "Real tissue (colon, FHL2; 0.5 µm/px assumed), and the cells that the model calls"
    yield "colon", {words: [Panel(colon), Panel(colon, cells=called[-1])]}
    for number, some in enumerate((slice(0, 3), slice(3, 6)), start=1):
        rows = {"Synthetic tissue": [Panel(picture) for picture in rgb[some]]}
        rows["True cells"] = marked_panels(rgb[some], truth[some], "true CPS")
        rows["Cells that the model calls"] = marked_panels(rgb[some], called[some], "called CPS")
        yield f"drawn-{number}", rows


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m scripts.studies.make_contact_sheet MODEL FOLDER")
    try:
        model = CellClassifier(load_model(sys.argv[1]), choose_device("cpu"))
        for name, sheet in sheets(model):
            write_small(contact_sheet(sheet, model.mpp), Path(sys.argv[2]) / f"sees-{name}.webp")
    except CxpathError as error:
        sys.exit(str(error))
