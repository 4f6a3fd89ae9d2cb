"""What a real node's power was set to, on the lane under the curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from regime3.paths import Lab
from tests.node.nodes import make_lab, running_node
from tests.web.labs import busy_day, train
from tests.web.test_page import wait_for_curve


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "lab")


def test_a_change_of_power_is_an_event_that_says_its_watts(
    lab: Lab, look: Callable[..., Page]
) -> None:
    with running_node(lab, ready=False, **{"power.simulated": "true"}) as node:
        day = busy_day(lab, 60)
        set_to = httpx.put(f"{node.url}/settings/power_profile", json={"profile": "quiet"})
        assert set_to.status_code == 200
        train(day, 61, 62)
        day.write()
        page = look()
        wait_for_curve(page)
        lane = page.locator("#lanes .lane").filter(has_text="Power")
        expect(lane.locator(".lane-p svg")).to_have_count(1)
        expect(page.locator("#event-read")).to_contain_text("quiet")
        expect(page.locator("#event-read")).to_contain_text("(simulated) at 220 W")


def test_without_a_node_there_is_no_lane_for_its_power(lab: Lab, look: Callable[..., Page]) -> None:
    busy_day(lab, 60)
    page = look()
    wait_for_curve(page)
    expect(page.locator("#lanes .lane").filter(has_text="Verdict")).to_have_count(1)
    assert page.locator("#lanes .lane").filter(has_text="Power").count() == 0
