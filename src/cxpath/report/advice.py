"""What to do about a slide that is not evaluable, by what its reason speaks of."""

from __future__ import annotations

_TUMOUR = (
    "Check on the slide that invasive tumour is present and inside the scored outline. If it is scarce, "
    "stain another block or a deeper section; if the outline missed it, score again with --roi."
)
_RESOLUTION = (
    "Find the scanner's µm per pixel and score again with --mpp; rescan if it lies outside the model's range."
)
_STAIN = (
    "Check that this is the PD-L1 slide with haematoxylin and DAB, not H&E or another stain. If it is, score "
    "again with --stain-check off; the override is recorded."
)
_ARTEFACT = "Rescan the slide after cleaning it, or cut and stain a new section."
_CONTROL = (
    "Look at the control tissue on the slide. If it is stained wrongly, repeat the run of staining; if the "
    "wrong piece was taken for it, draw the control as a region and score again with --roi."
)
_TISSUE = "Check the tissue picture. If tissue was missed, outline it in QuPath and score again with --roi."

_ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("tive control (",), _CONTROL),
    (("out of focus", "for artefacts"), _ARTEFACT),
    (("viable tumour", "tumour cell", "no tumour", "tumor cell"), _TUMOUR),
    (("mpp", "m per pixel", "m/px", "resolution", "micromet"), _RESOLUTION),
    (("stain", "colour", "color", "eosin", "fluoresc", "haematoxylin", "hematoxylin", "dab"), _STAIN),
    (("blur", "focus", "fold", "pen ", "artefact", "bubble"), _ARTEFACT),
    (("tissue", "region", "empty"), _TISSUE),
)
_OTHERWISE = "Have the slide read by a pathologist; do not take the missing score for a negative one."


def advice(reason: str) -> str:
    """Return one or two sentences for a reason; the first that fits, else the general one."""
    words = reason.lower()
    fitting = (text for cues, text in _ADVICE if any(cue in words for cue in cues))
    return next(fitting, _OTHERWISE)
