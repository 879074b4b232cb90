from cxpath.app.score_slide import scoring_of
from cxpath.network.card import Metric
from cxpath.network.model import load_card
from cxpath.scores.settings import METRIC_PREFIX, RATES, ScoringSettings, SlideErrorSettings

CARD = load_card("small")
STATED = {METRIC_PREFIX + name: Metric(value=0.5, count=30, method="test") for name in RATES}


def test_the_cards_error_term_is_taken_where_it_states_one() -> None:
    card = CARD.model_copy(update={"metrics": {**CARD.metrics, **STATED}})
    error = scoring_of(card, ScoringSettings()).slide_error
    assert error is not None
    assert error.tumour_recall == 0.5
    assert error.held_out_slides == 30


def test_a_laboratorys_own_error_term_wins_over_the_card() -> None:
    card = CARD.model_copy(update={"metrics": {**CARD.metrics, **STATED}})
    own = SlideErrorSettings(tumour_recall=0.93)
    assert scoring_of(card, ScoringSettings(slide_error=own)).slide_error == own


def test_a_card_without_one_leaves_the_defaults_and_they_are_recorded() -> None:
    metrics = {name: value for name, value in CARD.metrics.items() if not name.startswith(METRIC_PREFIX)}
    card = CARD.model_copy(update={"metrics": metrics})
    scoring = scoring_of(card, ScoringSettings())
    assert scoring.slide_error == SlideErrorSettings()
    assert scoring.stained_threshold == CARD.thresholds.stained_threshold
