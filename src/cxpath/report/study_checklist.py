"""Items of CONSORT-AI, STARD and CLAIM that a reader study answers by itself, and those left to its authors.

The questions are in our words; read the guidelines themselves before submitting.

References
----------
CONSORT-AI: Liu et al. 2020, Nature Medicine 26:1364. STARD 2015: Bossuyt et al. 2015, BMJ 351:h5527, which
STARD-AI extends (protocol: Sounderajah et al. 2021, BMJ Open 11:e047709). CLAIM: Mongan, Moy & Kahn 2020,
Radiology: Artificial Intelligence 2:e200029; 2024 update: Tejani et al. 2024, same journal 6:e240300.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cxpath.documents import ChecklistEntry

Facts = Mapping[str, str]
"""What a study knows of itself, by name; see `study_facts` in `app/study_facts`."""


@dataclass(frozen=True)
class _Item:
    guideline: str
    number: str
    asks: str
    fill: Callable[[Facts], str] = lambda facts: ""


def _fact(*names: str) -> Callable[[Facts], str]:
    """Fill an item with facts, one sentence after the other."""
    return lambda facts: " ".join(facts[name] for name in names if facts.get(name))


CONSORT, STARD, CLAIM = "CONSORT-AI", "STARD 2015 / STARD-AI", "CLAIM"

_ITEMS = (
    _Item(CONSORT, "1a,b (i)", "Do title or abstract say that AI is used, and which type of model?"),
    _Item(CONSORT, "1a,b (ii)", "Do title or abstract say what the AI is meant for?"),
    _Item(CONSORT, "2a (i)", "What is the AI's place in the clinical pathway, and who is to use it?"),
    _Item(CONSORT, "4a (i)", "Which participants were included and excluded?"),
    _Item(CONSORT, "4a (ii)", "Which input data (slides) were included and excluded?", _fact("slides")),
    _Item(CONSORT, "4b", "How was the AI integrated into the setting of the study?", _fact("display")),
    _Item(CONSORT, "5 (i)", "Which version of the algorithm was used?"),
    _Item(CONSORT, "5 (ii)", "How were the input data acquired and selected?"),
    _Item(CONSORT, "5 (iii)", "How were poor or missing input data handled?", _fact("inadequate")),
    _Item(CONSORT, "5 (iv)", "Did people handle the input, and with which expertise?"),
    _Item(CONSORT, "5 (v)", "What does the AI put out?", _fact("output")),
    _Item(CONSORT, "5 (vi)", "How did its output enter decisions?", _fact("arms", "display")),
    _Item(CONSORT, "19", "Which errors did the AI make, and were they analysed?", _fact("anchoring")),
    _Item(CONSORT, "25", "Can the AI or its code be accessed, and under which terms?"),
    _Item(STARD, "5", "Was the study planned before the data were collected?", _fact("protocol")),
    _Item(STARD, "6", "What were the eligibility criteria?"),
    _Item(STARD, "10a", "How is the index test done, so that others can repeat it?", _fact("questions")),
    _Item(STARD, "10b", "How is the reference standard defined?", _fact("reference")),
    _Item(STARD, "12a", "Which cut-offs were used, and were they fixed beforehand?", _fact("cutoffs")),
    _Item(STARD, "13a", "What did readers know while they read?", _fact("blinding")),
    _Item(STARD, "13b", "What did those know who set the reference?"),
    _Item(STARD, "14", "Which methods estimate and compare accuracy?", _fact("statistics")),
    _Item(STARD, "15", "How were indeterminate results handled?", _fact("inadequate")),
    _Item(STARD, "16", "How were missing data handled?", _fact("missing")),
    _Item(STARD, "18", "How was the number of cases and readers chosen?"),
    _Item(STARD, "19", "What was the flow of cases and reads?", _fact("flow")),
    _Item(CLAIM, "12", "How were data de-identified?", _fact("blinded_names")),
    _Item(CLAIM, "13", "How were missing data handled?", _fact("missing")),
    _Item(CLAIM, "14", "How is the ground truth defined?", _fact("reference")),
    _Item(CLAIM, "16", "Who annotated, with which qualifications and preparation?", _fact("readers")),
    _Item(CLAIM, "17", "With which tool were slides read?", _fact("tool")),
    _Item(CLAIM, "18", "How large is the variability between and within readers?", _fact("variability")),
    _Item(CLAIM, "19", "How was the sample size determined?"),
    _Item(CLAIM, "33", "What was the flow of cases?", _fact("flow")),
    _Item(CLAIM, "41", "Where is the full protocol?", _fact("protocol")),
)


def checklist(facts: Facts) -> tuple[ChecklistEntry, ...]:
    """Return the items, filled in where the study knows the answer."""
    return tuple(
        ChecklistEntry(guideline=one.guideline, item=one.number, asks=one.asks, filled=one.fill(facts))
        for one in _ITEMS
    )
