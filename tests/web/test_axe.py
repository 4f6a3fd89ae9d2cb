"""axe-core finds nothing on any page, in either theme, on a phone and a screen, full and empty."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from regime3.paths import Lab
from regime3.records import messages as say
from regime3.web.pages import DOORS
from tests.web.lab_day import lab_day
from tests.web.labs import busy_day
from tests.web.test_page import wait_for_curve

Look = Callable[..., Page]


def findings(page: Page) -> list[str]:
    """What axe-core objects to, with the places."""
    told = Axe().run(page).response
    assert len(told["passes"]) > 15  # it did look
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in told["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("name", DOORS)
def test_a_page_full_of_things(lab: Lab, look: Look, name: str, width: int, scheme: str) -> None:
    day = busy_day(lab, 60)
    lab_day(lab)
    day.board.take(say.Alert("ERROR", "spike", "loss 9.1 is six times the usual"))
    day.write()
    page = look(width, scheme, name)
    if name == "live":
        wait_for_curve(page)
        page.locator("#table-toggle").click()
        expect(page.locator("#attempts .steps").first).to_be_visible()
    if name == "memory":
        page.locator("#table-toggle").click()
    if name == "lab":
        page.locator("[data-verdict='6']").click()
        page.locator("#lineage-of").fill("nothing")
        expect(page.locator("#lineage .warn")).to_be_visible()
        expect(page.locator("#evolution .spans article").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("name", DOORS)
def test_a_page_with_nothing_yet(lab: Lab, look: Look, name: str) -> None:
    assert findings(look(name=name)) == []
