"""The page in a real browser, over labs that a real board has written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.status import QueueFile, QueueState
from tests.web.labs import HOSTILE, NoCards, busy_day

Look = Callable[..., Page]

DRAWN = """(id) => {
  const canvas = document.querySelector(`#${id} canvas`);
  if (!canvas || !canvas.width) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked;
}"""


def expect_state(page: Page, state: str, timeout: float = 8_000) -> None:
    expect(page.locator("body")).to_have_attribute("data-state", state, timeout=timeout)


def wait_for_curve(page: Page) -> None:
    """Until the loss has been drawn. (The page's own policy forbids waiting inside it.)"""
    deadline = time.monotonic() + 10
    while page.evaluate(DRAWN, "plot-loss") < 2000:
        assert time.monotonic() < deadline, "no curve was drawn"
        page.wait_for_timeout(50)


def test_a_busy_lab_shows_life_loss_and_what_comes_next(lab: Lab, look: Look) -> None:
    busy_day(lab, 120)
    page = look()
    expect_state(page, "alive")
    expect(page.locator("#state-sentence")).to_contain_text("olympiad-2026-11.jsonl, row 2,880")
    expect(page.locator("#step")).to_contain_text("120")
    expect(page.locator("#loss")).to_have_text(re.compile(r"0\.\d{4}"))
    expect(page.locator("#eta")).to_have_text(re.compile(r"\d+ h .* – .*"))
    expect(page.locator("#queue tbody tr")).to_have_count(4)
    expect(page.locator("#alerts")).to_contain_text("Out of memory in backward")
    expect(page.locator("#machine")).to_contain_text("Simulated card")
    expect(page.locator("#answers .prompt")).to_have_text(
        "What is the greatest common divisor of 84 and 36?"
    )


def test_the_curves_are_drawn_on_one_axis_with_one_cursor(lab: Lab, look: Look) -> None:
    busy_day(lab, 120)
    page = look()
    wait_for_curve(page)
    assert page.evaluate(DRAWN, "plot-speed") > 1000
    newest = page.locator("#v-loss").text_content()
    page.locator("#plot-loss").focus()
    page.keyboard.press("Home")
    expect(page.locator("#v-when")).to_contain_text("step 1")
    assert page.locator("#v-loss").text_content() != newest
    cursors = page.evaluate(
        "[...document.querySelectorAll('.u-cursor-x')].map((line) => line.style.transform)"
    )
    assert len(cursors) == 2 and cursors[0] == cursors[1] and "translate" in cursors[0]
    page.keyboard.press("Escape")
    expect(page.locator("#v-when")).to_have_text("")
    assert page.locator("#v-loss").text_content() == newest


def test_the_curves_can_be_read_without_seeing_them(lab: Lab, look: Look) -> None:
    busy_day(lab, 60)
    page = look()
    wait_for_curve(page)
    expect(page.locator("#curves-summary")).to_contain_text("60 steps the smoothed loss went from")
    page.locator("#table-toggle").click()
    assert page.locator("#table tbody tr").count() in range(15, 26)
    expect(page.locator("#table thead")).to_contain_text("Validation")
    slider = page.locator("#plot-loss")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert "loss" in (slider.get_attribute("aria-valuetext") or "")


def test_a_new_step_arrives_on_the_page_by_itself(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 60)
    page = look()
    expect(page.locator("#step")).to_contain_text("60")
    day.board.take(
        say.StepDone(61, 0.3, 2e-5, 1.0, 24, 24, 900, 950, 400, 1.0, 0, 1, 999, "a" * 32, 999)
    )
    day.write()
    expect(page.locator("#step")).to_contain_text("61")


def test_held_updates_stay_as_they_are(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    page = look()
    page.get_by_role("button", name="Hold updates").click()
    day.board.take(say.Beat("paused"))
    day.write()
    page.wait_for_timeout(1500)
    expect_state(page, "alive")
    page.get_by_role("button", name="Go on updating").click()
    expect_state(page, "paused")


@pytest.mark.parametrize(
    ("ago_s", "expected", "word"), [(0, "alive", "Alive"), (3600, "dead", "Dead")]
)
def test_life_is_judged_by_the_files_age(
    lab: Lab, look: Look, ago_s: int, expected: str, word: str
) -> None:
    day = busy_day(lab, 30)
    day.write(ago_s)
    page = look()
    expect_state(page, expected)
    expect(page.locator("#state-word")).to_have_text(word)
    if expected == "dead":
        expect(page.locator("#state-sentence")).to_contain_text("r3 trainer")
        expect(page.locator("#eta")).to_have_text("Not known")
        expect(page.locator("#speed")).to_contain_text(re.compile(r"at .*\d\d:\d\d"))


def test_a_silent_worker_under_a_living_supervisor_is_stalled(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    day.board.status.heartbeat = day.board.status.worker_started_at = time.time() - 200
    day.write()
    page = look()
    expect_state(page, "stalled")
    expect(page.locator("#heartbeat")).to_contain_text("3 min")
    expect(page.locator("#alerts")).to_contain_text("reported nothing")


def test_fatal_stands_over_the_whole_page(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    day.board.update(error_message="5 restarts made no progress", state="fatal")
    day.write(7200)
    page = look()
    expect_state(page, "fatal")
    expect(page.locator("#fatalbar")).to_be_visible()
    expect(page.locator("#fatalbar")).to_contain_text("r3 trainer")
    assert "FATAL" in page.title()


def test_paused_says_why_and_promises_no_time(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    day.board.update(paused_reason="quiet hours")
    day.board.take(say.Beat("paused"))
    day.write()
    page = look()
    expect_state(page, "paused")
    expect(page.locator("#state-sentence")).to_contain_text("Paused: quiet hours")
    expect(page.locator("#next-sentence")).to_contain_text("while training rests")


def test_an_empty_lab_says_what_will_fill_each_place(lab: Lab, look: Look) -> None:
    page = look()
    expect_state(page, "none")
    expect(page.locator("#state-sentence")).to_contain_text("r3 up")
    for place in ("#queue", "#machine", "#accuracy", "#answers", ".curves > .empty"):
        expect(page.locator(place)).to_contain_text(re.compile(r"\w{4}"))
    assert page.evaluate("document.body.dataset.data") == "empty"
    figures = page.locator(".minor dd").all_text_contents()
    assert set(figures) == {"–"}, "an unknown figure is never a zero"


def test_a_torn_status_file_is_said_and_the_page_recovers(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    whole = lab.status_file.read_bytes()
    lab.status_file.write_bytes(whole[: len(whole) // 2])
    page = look()
    expect_state(page, "unreadable")
    expect(page.locator("#state-sentence")).to_contain_text("not whole")
    day.write()
    expect_state(page, "alive")


def test_hostile_text_is_shown_as_text(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30, cards=NoCards())
    answer = say.Answer(HOSTILE, HOSTILE, HOSTILE, False, HOSTILE, 3, 4)
    day.board.take(say.Validated(30, 0.5, 1, 0.1, [answer]))
    day.board.take(say.Alert("ERROR", "odd", HOSTILE))
    day.board.event("admitted", HOSTILE)
    files = [QueueFile("a" * 32, HOSTILE, "normal", 100_000)]
    day.board.update(queue=QueueState(files, 1, rows_admitted=100_000, rows_left=100_000))
    day.write()
    page = look()
    expect(page.locator("#answers .prompt")).to_have_text(HOSTILE)
    for place in ("#alerts", "#events", "#queue", "#state-sentence"):
        expect(page.locator(place)).to_contain_text("<script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


def test_no_width_scrolls_sideways(lab: Lab, look: Look) -> None:
    busy_day(lab, 60)
    page = look()
    wait_for_curve(page)
    page.locator("#table-toggle").click()
    for width in (320, 360, 699, 700, 1024, 1199, 1440, 2200):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, f"{beyond} px too wide at {width}"


def test_both_themes_keep_text_and_ground_apart(lab: Lab, look: Look) -> None:
    busy_day(lab, 30)
    grounds = {}
    for scheme in ("dark", "light"):
        page = look(1440, scheme)
        wait_for_curve(page)
        colours = page.evaluate(
            "(({ backgroundColor, color }) => [backgroundColor, color])"
            "(getComputedStyle(document.body))"
        )
        grounds[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours]
    assert grounds["dark"][0] < 100 and grounds["dark"][1] > 600
    assert grounds["light"][0] > 700 and grounds["light"][1] < 150


def test_a_page_whose_server_is_gone_says_so(lab: Lab, look: Look) -> None:
    busy_day(lab, 30)
    page = look()
    page.evaluate("() => { const now = performance.now(); performance.now = () => now + 9000 }")
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('gone')) }")
    expect_state(page, "lost", 15_000)
    expect(page.locator("#state-word")).to_have_text("No contact")
    expect(page.locator("#eta")).to_have_text("Not known")


def test_the_contract_is_served_as_it_stands(lab: Lab, look: Look) -> None:
    busy_day(lab, 30)
    page = look()
    served = page.evaluate("fetch('/status/training_status.json').then((answer) => answer.text())")
    assert json.loads(served) == json.loads(lab.status_file.read_bytes())
