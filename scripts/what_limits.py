"""Tell a network what drawn cells are, or which are stained, and print how far its figures rise.

    python scripts/what_limits.py MODEL

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys

import numpy as np

from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.confusion import called_cps, macro_f1, true_cps
from cxpath.training.evaluation import card_decision
from cxpath.training.judging.concordance import falsely_reaching, right_side, score_concordance
from cxpath.training.judging.slide_drawing import draw_test_slide
from cxpath.training.judging.slide_plan import plan_slides
from cxpath.training.judging.told_counts import TOLD, told_tables
from cxpath.training.picture import detect_in_picture
from cxpath.training.settings import SlideCutSettings
from cxpath.training.slide_cut import trapped_recipe
from cxpath.values.stains import StainBasis

SLIDES = SlideCutSettings(trapped_slides=60, first_seed=800_001)


def main() -> None:
    """Draw the slides one by one, count them five times, print a line for each thing told."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python what_limits.py MODEL")
    model, recipe = load_model(sys.argv[1]), trapped_recipe(SLIDES)
    detector, decision = Detector(model, choose_device("cpu"), StainBasis()), card_decision(model)
    tables = []
    for planned in plan_slides(recipe):
        fields = draw_test_slide(planned, recipe.tissue, detector.mpp).fields
        seen = [detect_in_picture(detector, field.rgb) for field in fields]
        each = [told_tables(f, s, detector.mpp, decision, 6.0) for f, s in zip(fields, seen, strict=True)]
        tables.append(np.sum(each, axis=0))
    print("told: macro-F1, concordance, right side of 1, below 0.5 at 1 or more")
    for told, slides in zip(TOLD, np.stack(tables, axis=1), strict=True):
        true, called = (np.array([score(slide) for slide in slides]) for score in (true_cps, called_cps))
        sides = right_side(true, called, 1.0), falsely_reaching(true, called, 0.5, 1.0)
        figures = (macro_f1(slides.sum(axis=0)), score_concordance(true, called), *sides)
        print(f"{told:32s}", *(f"{figure:.3f}" for figure in figures))


if __name__ == "__main__":
    main()
