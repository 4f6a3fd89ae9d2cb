"""The page of memory and system in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from regime3 import disk
from regime3.paths import Lab
from regime3.status.machine_log import FIGURES, TIERS, MachineLog
from tests.web.labs import Day, busy_day
from tests.web.test_page import DRAWN

Look = Callable[..., Page]


def readings(day: Day, minutes: int = 30) -> None:
    """Half an hour of readings that ends now, of a box without a card, in place of the day's."""
    for tier in TIERS:
        day.lab.machine_log(tier.name).unlink(missing_ok=True)
    log = MachineLog(day.lab)
    for second in range(0, 60 * minutes, 10):
        at = day.clock.now() - 60 * minutes + second
        values: dict[str, float | None] = dict.fromkeys(FIGURES)
        values |= {"memory_used_bytes": 4e9 + 1e6 * second, "cpu_percent": 50.0}
        log.add(at, values)


def test_both_boxes_and_the_tracks_are_shown(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 120)
    readings(day)
    page = look(name="memory")
    expect(page.locator("#trainer")).to_contain_text("Simulated card")
    expect(page.locator("#trainer")).to_contain_text("Memory")
    expect(page.locator("#node")).to_contain_text("node does not run")
    expect(page.locator("#over .track")).to_have_count(2)  # what was never measured has none
    expect(page.locator("#over")).to_contain_text("most 5.")
    expect(page.locator("#over-summary")).to_contain_text("Processor: 50 % now, between 50 % and")
    expect(page.locator("#ran-out")).to_contain_text("Out of memory in backward")
    page.evaluate("document.querySelector('#over canvas').parentElement.id = 'one'")
    assert page.evaluate(DRAWN, "one") > 500


def test_the_table_has_what_the_tracks_show(lab: Lab, look: Look) -> None:
    readings(busy_day(lab, 30))
    page = look(name="memory")
    expect(page.locator("#over .track")).to_have_count(2)
    page.get_by_role("button", name="Table").press("Enter")
    expect(page.locator("#table thead th")).to_have_text(["Time", "Memory used", "Processor"])
    assert page.locator("#table tbody tr").count() > 20


def test_a_range_asks_for_no_more_than_it_shows(lab: Lab, look: Look) -> None:
    readings(busy_day(lab, 30), 90)
    page = look(name="memory")
    expect(page.locator("#over .track")).to_have_count(2)
    hour = page.locator("#over-note").text_content()
    page.get_by_role("button", name="24 h").click()
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#over-note")).not_to_have_text(hour or "")


def test_an_empty_lab_says_what_will_stand_there(lab: Lab, look: Look) -> None:
    page = look(name="memory")
    expect(page.locator("#over-empty")).to_be_visible()
    expect(page.locator("#node")).to_contain_text("does not run")
    expect(page.locator("#ran-out")).to_contain_text("Nothing has run out of memory")


def test_the_nodes_box_is_chosen_and_the_choice_stays(lab: Lab, look: Look) -> None:
    readings(busy_day(lab, 30))
    page = look(name="memory")
    expect(page.locator("#over .track")).to_have_count(2)
    page.get_by_role("button", name="Node", exact=True).click()
    expect(page.locator("#over .track")).to_have_count(0)
    expect(page.locator("#over-empty")).to_contain_text("This lab's node does not run")
    page.locator("#table-toggle").click()
    page.reload()
    node = page.get_by_role("button", name="Node", exact=True)
    expect(node).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#over-empty")).to_contain_text("does not run")


def test_a_node_of_another_kind_is_text_and_never_run(lab: Lab, look: Look) -> None:
    disk.make_folder(lab.node)
    disk.write_json(lab.node_address_file, {"url": "<script>window.hacked=1</script>"})
    page = look(name="memory")
    expect(page.locator("#node")).to_contain_text("no node answers", ignore_case=True)
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
def test_it_fits(lab: Lab, look: Look, width: int) -> None:
    readings(busy_day(lab, 30))
    page = look(width, name="memory")
    expect(page.locator("#over .track")).to_have_count(2)
    beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert beyond <= 0, f"{beyond} px too wide at {width}"
