"""Tell a network what drawn cells are, or which are stained, and print how far its figures rise.

    python -m scripts.studies.oracle_ablation MODEL

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys

import numpy as np

from cxpath.app.train_model import hard_negative_recipe
from cxpath.data.slide_info import StainBasis
from cxpath.evaluation.synthetic import falsely_reaching, right_side, score_concordance
from cxpath.evaluation.synthetic_set import make_test_slide, plan_slides
from cxpath.metrics.cells import detect_in_picture, macro_f1, predicted_cps, true_cps
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.training.settings import SlideThresholdSettings
from cxpath.training.thresholds import card_decision
from scripts.studies.network_limits import ORACLES, oracle_tables

SLIDES = SlideThresholdSettings(hard_negative_slides=60, first_seed=800_001)


def main() -> None:
    """Draw the slides one by one, count them five times, print a line for each thing told."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m scripts.studies.oracle_ablation MODEL")
    model, recipe = load_model(sys.argv[1]), hard_negative_recipe(SLIDES)
    detector, decision = Detector(model, choose_device("cpu"), StainBasis()), card_decision(model)
    tables = []
    for planned in plan_slides(recipe):
        fields = make_test_slide(planned, recipe.tissue, detector.mpp).fields
        seen = [detect_in_picture(detector, field.rgb) for field in fields]
        each = [oracle_tables(f, s, detector.mpp, decision, 6.0) for f, s in zip(fields, seen, strict=True)]
        tables.append(np.sum(each, axis=0))
    print("told: macro-F1, concordance, right side of 1, below 0.5 at 1 or more")
    for told, slides in zip(ORACLES, np.stack(tables, axis=1), strict=True):
        true, called = (np.array([score(slide) for slide in slides]) for score in (true_cps, predicted_cps))
        sides = right_side(true, called, 1.0), falsely_reaching(true, called, 0.5, 1.0)
        figures = (macro_f1(slides.sum(axis=0)), score_concordance(true, called), *sides)
        print(f"{told:32s}", *(f"{figure:.3f}" for figure in figures))


if __name__ == "__main__":
    main()
