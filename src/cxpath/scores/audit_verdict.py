"""What an audited score says of the tumour and of its cut-offs: the slide is one sample of the tumour.

An audit speaks for the cells of its slide. Cut-offs are decided for the tumour, as those of the network's
score are, so that the unevenness of its fields is added to the doubt that the answers leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from cxpath.scores.audit_estimate import METHOD, AuditedScore, probability_at_least
from cxpath.scores.counts import MAXIMUM, GroupedCounts, printed_form
from cxpath.scores.intervals import MOST_UNEVEN, field_dispersion
from cxpath.scores.score import ScoreEstimate
from cxpath.scores.settings import Cutoff, ScoringSettings, borderline_rule, decide_cutoff


def audited_estimate(
    score: AuditedScore, fields: GroupedCounts, settings: ScoringSettings, cutoffs: Sequence[Cutoff] = ()
) -> ScoreEstimate:
    """Return an audited score with the interval for the tumour and its cut-offs.

    Parameters
    ----------
    score : AuditedScore
    fields : GroupedCounts
        Of the slide's fields, as the network counts them: how unevenly positive cells lie.
    settings : ScoringSettings
    cutoffs : sequence of Cutoff
    """
    tissue = tissue_interval(score, fields)
    of_tumour = replace(score, interval=tissue)
    rule = borderline_rule(settings)
    return ScoreEstimate(
        value=score.cps,
        interval_slide=score.interval,
        interval_tissue=tissue,
        level=score.level,
        method=METHOD,
        reported=printed_form(score.cps),
        cutoffs=tuple(
            decide_cutoff(score.cps, tissue, probability_at_least(of_tumour, cutoff.value), cutoff, rule)
            for cutoff in cutoffs
        ),
    )


def tissue_interval(score: AuditedScore, fields: GroupedCounts) -> tuple[float, float]:
    """Return the interval for the tumour's CPS.

    On the logarithm's scale the doubt of the answers and that of the fields are independent; each end moves
    by the root of their summed squares. Where no answer was in the numerator, the upper end alone moves.
    """
    low, high = score.interval
    if score.cps <= 0:
        reach = _reach_of_fields(high * score.tumour_cells / 100.0, fields, score.level)
        return 0.0, min(MAXIMUM, high * float(np.exp(reach)))
    reach = _reach_of_fields(score.cps * score.tumour_cells / 100.0, fields, score.level)
    below = float(np.hypot(np.log(score.cps / low), reach)) if low > 0 else np.inf
    above = float(np.hypot(np.log(high / score.cps), reach))
    return score.cps * float(np.exp(-below)), min(MAXIMUM, score.cps * float(np.exp(above)))


def _reach_of_fields(positive: float, fields: GroupedCounts, level: float) -> float:
    """Return how far the tumour's log CPS may lie from the slide's: counting noise and uneven fields.

    Parameters
    ----------
    positive : float
        Cells in the numerator, by the answers.
    """
    counted = int(fields.positive.sum())
    spread = field_dispersion(fields.positive, fields.tumour)
    uneven = max(0.0, spread.variance - counted) / (counted + 0.5) ** 2
    variance = 1.0 / max(positive, 1.0) + min(uneven, MOST_UNEVEN)
    quantile = float(special.stdtrit(max(spread.degrees, 6.0), (1 + level) / 2))
    return quantile * float(np.sqrt(variance))
