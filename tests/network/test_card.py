from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from cxpath.data.slide_info import StainBasis
from cxpath.network import load_card, model_folder
from cxpath.network.card import PAGE_NAME, EvaluatedFigure, KnownStains, ModelCard, card_page, card_text
from cxpath.synth.optics import TRAINING_STAINS


@pytest.mark.parametrize("name", ["small", "base"])
def test_the_page_of_a_bundled_model_is_that_of_its_card(name: str) -> None:
    page = (model_folder(name) / PAGE_NAME).read_text(encoding="utf-8")
    assert page == card_page(load_card(name))


def test_the_page_has_what_the_card_has() -> None:
    card = load_card("small")
    page = card_page(card)
    assert page.startswith("---\nlicense: mit\n")
    for text in (card.description, card.notice, card.digest[:12], card.training.command):
        assert text in page
    for source in card.data:
        assert f"| {source.name} | {source.use} | {source.amount} | {source.licence} |" in page
    for figure in card.evaluation:
        assert f"| {figure.set_name} | {figure.label} | {figure.value:.3f} |" in page
    missed = sum(not figure.met for figure in card.evaluation)
    assert page.count("| **no** |") == missed
    assert page.count("For Research Use Only") == 2


def test_a_model_without_recorded_figures_says_so() -> None:
    page = card_page(load_card("small").model_copy(update={"evaluation": ()}))
    assert "None was recorded" in page
    assert "| set | figure |" not in page


FIGURE = EvaluatedFigure(
    set_name="own", name="f1", label="cells found", value=0.81249, low=0.7, high=0.9, target="≥ 0.82",
    met=False, n=12, n_of="cells", method="by hand",
)  # fmt: skip


def page_with(card: ModelCard, *figures: EvaluatedFigure) -> str:
    return card_page(card.model_copy(update={"evaluation": figures}))


def test_a_figure_is_printed_with_interval_target_and_whether_it_is_met(card: ModelCard) -> None:
    page = page_with(card, FIGURE, FIGURE.model_copy(update={"met": True, "value": 0.9}))
    assert "| own | cells found | 0.812 | 0.700 to 0.900 | ≥ 0.82 | **no** |" in page
    assert "| own | cells found | 0.900 | 0.700 to 0.900 | ≥ 0.82 | yes |" in page


@pytest.mark.parametrize("missing", ["low", "high"])
def test_half_an_interval_is_none(card: ModelCard, missing: str) -> None:
    assert "| 0.812 |  | ≥ 0.82 |" in page_with(card, FIGURE.model_copy(update={missing: None}))


def test_the_page_states_what_the_model_may_be_used_on(card: ModelCard) -> None:
    page = card_page(card, licence="apache-2.0")
    assert page.startswith("---\nlicense: apache-2.0\n")
    assert "| resolution | 0.5 µm/px, made from slides of 0.15 to 0.65 µm/px |" in page
    assert "| thresholds | centre 0.3, stained 0.6, least distance 3 µm |" in page
    assert "- Slides outside 0.15 to 0.65 µm/px are not evaluable." in page
    assert "benign epithelium" in page  # classes in words


def test_plain_values_come_before_tables_as_toml_demands(card: ModelCard) -> None:
    """A key that follows a table header would belong to that table."""
    full = card.model_copy(update={"evaluation": (FIGURE,)})
    stated = tomllib.loads(card_text(full))
    assert stated["schema"] == "cxpath/model/2"
    assert stated["evaluation"][0]["label"] == "cells found"
    assert [source["use"] for source in stated["data"]] == ["train", "validate"]
    assert "level" not in stated["thresholds"]
    assert "mpp" not in stated["evaluation"][0]  # what is not known is left out


def test_a_control_character_in_a_text_is_escaped(card: ModelCard) -> None:
    """JSON leaves DEL as it is; TOML forbids it."""
    odd = card.model_copy(update={"description": 'a "b" \\ \x7f \t µ'})
    assert tomllib.loads(card_text(odd))["description"] == odd.description


def test_the_bundled_models_know_the_stains_of_their_training() -> None:
    for name in ("small", "base"):
        known = load_card(name).stains
        assert known is not None
        assert known.hematoxylin_arc == TRAINING_STAINS.haematoxylin_ends
        assert known.dab_arc == TRAINING_STAINS.dab_ends
        assert known.as_value().strangeness(StainBasis()) == 0.0


def test_a_stain_cannot_be_strange_before_it_is_unfamiliar() -> None:
    arcs = {"hematoxylin_arc": TRAINING_STAINS.haematoxylin_ends, "dab_arc": TRAINING_STAINS.dab_ends}
    with pytest.raises(ValidationError, match="two ascending numbers"):
        KnownStains.model_validate(arcs | {"dab_deg": (6.0, 3.0)})
