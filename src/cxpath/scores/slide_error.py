"""SlideError: how a slide's calls go wrong together, as measured on held-out slides of known truth.

A scanner, a pale run or a thick section shifts all cells of one slide the same way, so errors of a slide do
not cancel. Each rate therefore has a middle and a spread *between slides*. Knows nothing of any one slide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from cxpath.values.settings import Settings

METRIC_PREFIX = "slide_error_"
"""A model card's metrics of this prefix, followed by a name of `SlideErrorSettings`, replace defaults."""


class SlideErrorSettings(Settings):
    """Section `[scoring.slide_error]`: medians over slides, and standard deviations between slides."""

    tumour_recall: float = Field(default=0.729, gt=0, lt=1)
    """Of truly positive tumour cells, the share found and called positive on the median slide."""

    tumour_recall_spread: float = Field(default=0.695, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    tumour_specificity: float = Field(default=0.9957, gt=0, lt=1)
    """One minus the wrongly positive cells among the cells called tumour that are not truly positive."""

    tumour_specificity_spread: float = Field(default=2.0134, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    immune_recall: float = Field(default=0.5596, gt=0, lt=1)
    """As `tumour_recall`, of lymphocytes and macrophages."""

    immune_recall_spread: float = Field(default=0.639, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    immune_specificity: float = Field(default=0.9766, gt=0, lt=1)
    """As `tumour_specificity`, of the cells called lymphocyte or macrophage."""

    immune_specificity_spread: float = Field(default=1.5815, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    tumour_found: float = Field(default=0.9897, gt=0, lt=5)
    """Cells called tumour for each true tumour cell, on the median slide."""

    tumour_found_spread: float = Field(default=0.1109, ge=0, le=5)
    """Standard deviation between slides of its logarithm."""

    held_out_slides: int = Field(default=16, ge=0)
    """How many slides of known truth the ten figures were estimated on."""

    def updated(self, metrics: Mapping[str, float], held_out_slides: int) -> Self:
        """Return the term that a model card states, where it states all of it; else this one.

        Parameters
        ----------
        metrics : mapping of str to float
            Values of the card's metrics by name; others than `slide_error_*` are passed over.
        held_out_slides : int
            How many slides they rest on.
        """
        stated = {name: metrics[METRIC_PREFIX + name] for name in RATES if METRIC_PREFIX + name in metrics}
        if len(stated) < len(RATES):
            return self
        return type(self)(**stated, held_out_slides=held_out_slides)


RATES = tuple(name for name in SlideErrorSettings.model_fields if name != "held_out_slides")
