"""TMB: counted variants over megabases, with the exact interval of the count."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cxpath.biomarkers.poisson import exact_count_interval
from cxpath.biomarkers.tmb.doubts import doubts
from cxpath.biomarkers.tmb.funnel import FunnelStep, run_funnel
from cxpath.biomarkers.tmb.preset import Preset
from cxpath.values.errors import VariantsFileError
from cxpath.values.genome_intervals import GenomeIntervals
from cxpath.values.variants import Known, SampleVariants

LEVEL = 0.95
_HOW_TO_ANNOTATE = {
    Known.CONSEQUENCE: "annotate with VEP (CSQ) or snpEff (ANN)",
    Known.GERMLINE_FREQUENCY: "annotate with gnomAD or ExAC frequencies, or choose another preset",
    Known.GERMLINE_COUNT: "annotate with gnomAD or ExAC allele counts, or choose another preset",
    Known.COSMIC_COUNT: "annotate with COSMIC counts (COSMIC_CNT), or choose another preset",
}


@dataclass(frozen=True)
class Circumstances:
    """What a file of variants cannot say.

    Parameters
    ----------
    matched_normal : bool or None
        Whether a normal sample was called against; wins over the file.
    purity : float or None
        Share of tumour cells, 0 to 1.
    """

    matched_normal: bool | None = None
    purity: float | None = None


STATED_NOTHING = Circumstances()


@dataclass(frozen=True)
class Burden:
    """TMB of one sample.

    Parameters
    ----------
    value : float
        Variants per megabase.
    interval : tuple of float
        Exact 95 % interval of the count, over the same megabases.
    """

    sample: str
    preset: Preset
    value: float
    interval: tuple[float, float]
    variants: int
    megabases: float
    funnel: tuple[FunnelStep, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return one sample's part of `tmb.json`."""
        return {
            "sample": self.sample,
            "preset": self.preset.name,
            "method": self.preset.title,
            "value": self.value,
            "interval": list(self.interval),
            "level": LEVEL,
            "variants": self.variants,
            "megabases": self.megabases,
            "funnel": [asdict(step) for step in self.funnel],
            "not_applied": [step.step for step in self.funnel if not step.applied],
            "not_reproduced": list(self.preset.not_reproduced),
            "warnings": list(self.warnings),
            "source": self.preset.source,
            "as_of": self.preset.as_of,
            "certainty": self.preset.certainty,
        }


def require_annotation(sample: SampleVariants, preset: Preset, file: object) -> None:
    """Refuse a file that does not say what the preset needs.

    Raises
    ------
    VariantsFileError
        With the reason, and what to do.
    """
    for need in preset.needs:
        if need not in sample.known:
            reason = (
                f"the variants carry no consequence (neither CSQ nor ANN), so that {preset.counts} ones "
                "cannot be told"
                if need is Known.CONSEQUENCE
                else f"the variants carry no {need}"
            )
            hint = _HOW_TO_ANNOTATE.get(need, "choose another preset")
            raise VariantsFileError(f"{file}: preset {preset.name} is refused: {reason}", hint)


def mutational_burden(
    sample: SampleVariants,
    preset: Preset,
    megabases: float,
    panel: GenomeIntervals | None = None,
    circumstances: Circumstances = STATED_NOTHING,
) -> Burden:
    """Count what the preset counts and divide by the megabases.

    Parameters
    ----------
    sample : SampleVariants
    preset : Preset
    megabases : float
        The size of what was looked at: merged and callable.
    panel : GenomeIntervals, optional
        Variants outside do not count.
    circumstances : Circumstances
    """
    counted, funnel = run_funnel(sample, preset, panel)
    low, high = exact_count_interval(len(counted), LEVEL)
    stated = circumstances.matched_normal
    matched = stated if stated is not None else sample.matched_normal
    return Burden(
        sample=sample.sample,
        preset=preset,
        value=len(counted) / megabases,
        interval=(low / megabases, high / megabases),
        variants=len(counted),
        megabases=megabases,
        funnel=funnel,
        warnings=tuple(doubts(counted, preset, megabases, matched, circumstances.purity)),
    )
