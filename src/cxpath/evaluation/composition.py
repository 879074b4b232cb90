"""What the synthetic test set turned out to contain, against what it must contain to be a test at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cxpath.documents.evaluation import Ingredient
from cxpath.evaluation.figures import LOW_CPS, count_rows, score_rows, tables_of
from cxpath.evaluation.settings import Arm, SyntheticSettings
from cxpath.evaluation.synthetic_set import HARD_NEGATIVES


def composition(slides: Sequence[Mapping[str, Any]], settings: SyntheticSettings) -> list[Ingredient]:
    """Return what the gated arms contain; with some slides only, requirements of number are missed."""
    return [
        ingredient
        for arm in settings.arm
        if arm.gated and (own := [slide for slide in slides if slide["arm"] == arm.name])
        for ingredient in _of_arm(arm, own, settings)
    ]


def hard_negative_shares(slides: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the share of fields that contain each hard negative, rarest first."""
    fields = [hard_negatives for slide in slides for hard_negatives in slide["fields"]]
    counts = Counter(hard_negative for hard_negatives in fields for hard_negative in hard_negatives)
    shares = {hard_negative: counts[hard_negative] / max(1, len(fields)) for hard_negative in HARD_NEGATIVES}
    return dict(sorted(shares.items(), key=lambda item: item[1]))


def _of_arm(arm: Arm, slides: Sequence[Mapping[str, Any]], settings: SyntheticSettings) -> list[Ingredient]:
    truth, targets = score_rows(slides)[:, 0], settings.targets
    tumour = tables_of(count_rows(slides))[:, :2].sum(axis=(1, 2))
    shares = hard_negative_shares(slides)
    rarest = next(iter(shares))
    found = [
        ("slides", len(slides), targets.slides),
        ("slides with true CPS below 0.5", int((truth < LOW_CPS).sum()), targets.slides_below_half),
        ("slides with true CPS from 0.3 to 3", int(((truth >= 0.3) & (truth <= 3)).sum()),
         targets.slides_from_0_3_to_3),
        ("evaluated tumour cells on the slide with the fewest", int(tumour.min()), targets.tumour_cells),
        (f"share of fields with the rarest hard negative ({rarest.replace('_', ' ')})",
         round(shares[rarest], 4), targets.hard_negative_share),
    ]  # fmt: skip
    return [
        Ingredient(arm=arm.name, label=label, value=value, required=need, met=bool(value >= need))
        for label, value, need in found
    ]
