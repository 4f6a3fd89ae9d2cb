"""The pages in a real browser over a real run: it trains, is paused from the page, dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import serving
from tests.web.test_control_page import signed_in
from tests.whole.conftest import RealLab, rows

DEAD_MS = 60_000
"""A status that nobody writes is dead after 20 s."""


def step_of(page: Page) -> int:
    text = page.locator("#step").inner_text().split("of")[0]
    return int("".join(each for each in text if each.isdigit()) or 0)


def until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def test_a_real_run_is_seen_steered_and_seen_to_die(
    make_lab: Callable[..., RealLab], browser: Browser
) -> None:
    real = make_lab(**{
        "validation.every_steps": 10, "validation.preview_rows": 4, "validation.rows_max": 16,
        "validation.time_share_max": 1.0,
    })  # fmt: skip
    lab = real.lab
    lab.validation.mkdir(exist_ok=True)
    held = "".join(line + "\n" for line in rows("heldout", 16))
    (lab.validation / "held.jsonl").write_text(held, encoding="utf-8")
    real.drop("sums.jsonl", rows("train", 60_000))
    real.start()
    real.wait("a step", lambda: (real.status().get("current_step") or 0) > 2)
    with serving(lab) as url, browser.new_context() as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        body = page.locator("body")
        expect(body).to_have_attribute("data-state", "alive", timeout=20_000)
        seen = step_of(page)
        until(lambda: step_of(page) > seen + 2)
        assert abs(step_of(page) - real.status()["current_step"]) < 200
        expect(page.locator("#queue")).to_contain_text("sums")
        expect(page.locator("#validation")).not_to_contain_text("–", timeout=60_000)
        expect(page.locator("#answers .prompt")).not_to_be_empty(timeout=60_000)

        signed_in(lab, page)
        pause = page.locator("#acting").get_by_role("button", name="Pause", exact=True)
        pause.click()
        page.locator("#acting").get_by_role("button", name="Pause training").click()
        expect(body).to_have_attribute("data-state", "paused", timeout=30_000)
        stands = real.status()["current_step"]
        page.wait_for_timeout(1500)
        assert real.status()["current_step"] == stands
        page.locator("#toast").get_by_role("button", name="Undo").click()
        expect(body).to_have_attribute("data-state", "alive", timeout=30_000)
        until(lambda: step_of(page) > stands)

        page.goto(url + "lab")
        expect(page.locator("#layers tbody tr").first).to_contain_text("%", timeout=30_000)
        page.goto(url + "memory")
        expect(page.locator("#trainer")).to_contain_text("worker")

        page.goto(url + "live")
        expect(body).to_have_attribute("data-state", "alive", timeout=20_000)
        assert real.process is not None
        worker = real.worker_pid()
        real.process.kill()
        real.process.wait()
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
        expect(body).to_have_attribute("data-state", "dead", timeout=DEAD_MS)
        expect(page.locator("#state-sentence")).not_to_be_empty()
        assert errors == []
