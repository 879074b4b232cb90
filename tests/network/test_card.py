from __future__ import annotations

from cxpath.network import load_card, model_folder
from cxpath.network.card import PAGE_NAME, card_page


def test_the_page_of_the_bundled_model_is_that_of_its_card() -> None:
    page = (model_folder("small") / PAGE_NAME).read_text(encoding="utf-8")
    assert page == card_page(load_card("small"))


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
