"""The lab's page in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from regime3.paths import Lab
from tests.web.lab_day import PROBES, lab_day
from tests.web.labs import HOSTILE, busy_day

Look = Callable[..., Page]


def test_the_ledger_shows_each_verdict_and_opens_what_it_rests_on(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    rows = page.locator("#ledger > table > tbody > tr")
    expect(rows).to_have_count(6)
    expect(rows.first).to_contain_text("Promoted")
    expect(rows.first).to_contain_text("60 : 32 of 480")
    expect(rows.first).to_contain_text("+5.8")
    expect(rows.first).to_contain_text("+2.0 to +9.7")
    rows.first.get_by_role("button", name="Promoted").press("Enter")
    expect(rows).to_have_count(7)
    expect(page.locator("[data-verdict='6']")).to_be_focused()
    expect(rows.nth(1)).to_contain_text("Vetoed by numbers")
    expect(rows.nth(1)).to_contain_text("3 : 30 of 480")
    expect(rows.nth(1)).to_contain_text("−5.6")
    rows.nth(1).locator("summary").click()
    expect(rows.nth(1)).to_contain_text("24 %")


def test_two_checkpoints_are_compared_and_the_choice_stays(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    expect(page.locator("#compare-note")).to_contain_text("3 probes")
    page.locator("#compare-one").select_option("4")
    lists = page.locator("#compare tbody tr", has_text="lists")
    expect(lists).to_contain_text("+1")
    expect(page.locator("#compare thead")).to_contain_text("By 4")
    page.reload()
    expect(page.locator("#compare-one")).to_have_value("4")
    expect(page.locator("#compare thead")).to_contain_text("By 4")


def test_the_maps_say_in_words_what_they_colour(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    cell = page.locator("#curriculum tbody tr", has_text="lists").locator("td").nth(1)
    expect(cell).to_contain_text("75.0 % of rows")
    expect(cell.locator("b")).to_have_text(re.compile(r"\d+ %"))
    expect(page.locator("#lengths tbody tr")).to_have_count(3)
    expect(page.locator("#lengths")).to_contain_text(" of ")


def test_layers_are_told_in_figures_and_drawn_through_time(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    expect(page.locator("#layers-note")).to_contain_text("3 validations, steps 100 to 300")
    first = page.locator("#layers tbody tr").first
    expect(first).to_contain_text("30 %")
    expect(first).to_contain_text("10 %")
    expect(first).to_contain_text("0.998")
    expect(first.locator("rect")).to_have_count(3)


def test_a_problem_is_followed_through_time(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    page.locator("#evolution .exl button", has_text="lists 2").click()
    spans = page.locator("#evolution .spans article")
    expect(spans).to_have_count(2)
    expect(spans.first).to_contain_text("solved")
    expect(spans.first.locator("ins")).to_have_text("(qed yes)\n")
    expect(spans.first.locator("del")).to_have_text(f"(qed {HOSTILE})\n")
    expect(spans.nth(1)).to_contain_text("3 checkpoints alike")
    page.locator("#probe-kinds").get_by_role("button", name="Never").click()
    expect(page.locator("#evolution .exl")).to_contain_text("No problem is of this kind")
    page.reload()
    expect(page.locator("#evolution .exl")).to_contain_text("No problem is of this kind")
    expect(page.locator("#evolution .spans")).to_contain_text("(qed yes)")


def test_hostile_answers_and_reasons_are_text(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    page.locator("#evolution .exl button", has_text="numbers 1").click()
    expect(page.locator("#evolution .spans")).to_contain_text("<script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


def test_codes_are_found_by_what_they_stand_for(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    expect(page.locator("#codebook tbody tr")).to_have_count(460)
    page.locator("#codebook-find").fill("frac")
    expect(page.locator("#codebook tbody tr").first).to_contain_text("(frac _ _)")
    expect(page.locator("#codebook-note")).to_contain_text("of 460 codes")
    page.locator("#codebook-find").fill("no such thing")
    expect(page.locator("#codebook")).to_contain_text("No code has that in it")


def test_lineage_is_walked_by_links(lab: Lab, look: Look) -> None:
    lab_day(lab)
    lab.trained_file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"seal": 1, "parent": None, "step": 0, "rows": [], "rolled_back_from": None},
        {"seal": 4, "parent": 1, "step": 600, "rows": [], "rolled_back_from": None},
    ]
    lab.trained_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = look(name="lab")
    page.locator("#lineage-of").fill("4")
    expect(page.locator("#lineage")).to_contain_text("Made from")
    expect(page.locator("#lineage")).to_contain_text("Promoted")
    page.locator("#lineage dd").get_by_role("button", name="1", exact=True).click()
    expect(page.locator("#lineage")).to_contain_text("the weights that the lab was founded with")
    page.locator("#lineage-of").fill("who knows")
    expect(page.locator("#lineage")).to_contain_text("is no row")
    expect(page.locator("#lineage code")).to_have_text("r3 checkpoints")


def test_an_empty_lab_says_what_will_stand_in_each_place(lab: Lab, look: Look) -> None:
    page = look(name="lab")
    for place in ("ledger", "kept", "compare", "curriculum", "lengths", "evolution", "lineage"):
        expect(page.locator(f"#{place} .empty")).to_be_visible()
    expect(page.locator("#codebook tbody tr")).to_have_count(460)


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
def test_no_width_scrolls_sideways(lab: Lab, look: Look, width: int) -> None:
    busy_day(lab, 30)
    lab_day(lab)
    page = look(width, name="lab")
    expect(page.locator("#evolution .spans article").first).to_be_visible()
    page.locator("[data-verdict='6']").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_every_probe_of_the_day_is_listed(lab: Lab, look: Look) -> None:
    lab_day(lab)
    page = look(name="lab")
    expect(page.locator("#evolution .exl button")).to_have_count(len(PROBES))
