"""The page in a real browser, over labs that a real board has written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.status import QueueFile, QueueState
from tests.web.labs import HOSTILE, NoCards, busy_day, loop_day

Look = Callable[..., Page]

DRAWN = """(id) => {
  const canvas = document.querySelector(`#${id} canvas`);
  if (!canvas || !canvas.width) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked;
}"""

NO_STREAM = "window.EventSource = class { addEventListener() {} close() {} }"
"""A browser, or a proxy, that lets no stream through."""


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


def test_the_stream_alone_brings_what_is_new(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 60)
    page = look()
    expect(page.locator("#step")).to_contain_text("60")
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('gone')) }")
    day.board.take(say.Beat("paused"))
    day.write()
    expect_state(page, "paused")


def test_without_a_stream_the_page_asks(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 60)
    page = look(script=NO_STREAM)
    expect_state(page, "alive")
    day.board.take(say.Beat("paused"))
    day.write()
    expect_state(page, "paused")


def test_what_happened_since_the_last_look_is_told(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 60)
    loop_day(lab)
    key = f"regime3.look.{lab.root.name}"
    number = day.board.status.recent_events[-1].number
    before = {"at": time.time() - 7200, "step": 20, "loss": 0.9, "event": number, "verdict": 1}
    day.board.take(say.Sealed(9, 60, "steps", 1.0, 1000))
    day.write()
    page = look(script=f"localStorage.setItem({key!r}, {json.dumps(json.dumps(before))})")
    told = page.locator("#since")
    expect(told).to_contain_text("Since you last looked, 2 h")
    expect(told).to_contain_text("40 steps, loss 0.9000 to")
    expect(told).to_contain_text("1 promotion")
    expect(told).to_contain_text("1 checkpoint")
    kept = json.loads(page.evaluate(f"localStorage.getItem({key!r})"))
    assert kept["step"] == 60 and abs(kept["at"] - time.time()) < 60


@pytest.mark.parametrize("kept", ["", "null", "[1]", '{"at": "long ago"}', HOSTILE])
def test_a_first_look_and_a_damaged_memory_say_nothing_of_the_last(
    lab: Lab, look: Look, kept: str
) -> None:
    busy_day(lab, 60)
    page = look(script=f"localStorage.setItem('regime3.look.{lab.root.name}', {json.dumps(kept)})")
    expect_state(page, "alive")
    expect(page.locator("#step")).to_contain_text("60")
    expect(page.locator("#since")).to_have_text("")


def test_held_updates_stay_as_they_are(lab: Lab, look: Look) -> None:
    day = busy_day(lab, 30)
    page = look()
    page.get_by_role("button", name="Hold").click()
    day.board.take(say.Beat("paused"))
    day.write()
    page.wait_for_timeout(1500)
    expect_state(page, "alive")
    page.get_by_role("button", name="Go on").click()
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
    page = look(script=NO_STREAM)
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


def test_the_loop_is_shown_verdicts_pass_rates_and_attempts(lab: Lab, look: Look) -> None:
    busy_day(lab, 120)
    loop_day(lab)
    page = look()
    verdicts = page.locator("#verdicts li")
    expect(verdicts).to_have_count(5)
    expect(verdicts.first).to_contain_text("Rolled back checkpoint 11, 31 won, 77 lost")
    expect(verdicts.nth(1)).to_contain_text(HOSTILE)  # as text
    expect(page.locator("#loop-note")).to_have_text(
        "champion is checkpoint 4; judging checkpoint 13: 31 won, 12 lost of 43"
    )
    lists = page.locator("#rates tr", has_text="lists")
    expect(lists.locator("td")).to_have_text(["62 %", "31 %", "21 %"])
    expect(page.locator("#rates tr", has_text="entailment").locator("td").nth(1)).to_have_text(
        "closed"
    )
    expect(page.locator("#rates .told li")).to_have_text([re.compile("numbers is not asked")])
    expect(page.locator("#loop-curve-note")).to_contain_text("codes 20 % at step 0, 80 % at 1,200")
    attempts = page.locator("#attempts .exl button")
    expect(attempts).to_have_count(2)
    expect(page.locator("#attempts .steps li.ok")).to_have_count(2)
    attempts.nth(1).click()
    expect(page.locator("#attempts .steps li.bad")).to_have_count(1)
    expect(page.locator("#attempts .steps li.unread")).to_have_count(1)
    expect(page.locator("#attempts .exd")).to_contain_text("Expected ")
    wait_for_curve(page)
    lane = page.locator("#lanes .lane", has_text="Verdict")
    expect(lane.locator(".lane-p .i.bad")).to_have_count(1)
    assert page.evaluate("window.hacked") is None


def test_a_new_verdict_appears_without_a_reload(lab: Lab, look: Look) -> None:
    busy_day(lab, 120)
    page = look(width=360)
    expect(page.locator("#verdicts")).to_contain_text("The first checkpoint")
    expect(page.locator("#attempts")).to_contain_text("What the model tried")
    loop_day(lab)
    expect(page.locator("#verdicts li").first).to_contain_text("Rolled back", timeout=15_000)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == 360


def test_a_stretch_is_zoomed_into_by_mouse_and_key_and_stays(lab: Lab, look: Look) -> None:
    busy_day(lab, 600)
    page = look()
    wait_for_curve(page)
    whole = page.locator("#curves-note").text_content() or ""
    box = page.locator("#plot-loss .u-over").bounding_box()
    assert box is not None
    y = box["y"] + 40
    page.mouse.move(box["x"] + 0.4 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], y, steps=5)
    page.mouse.up()
    expect(page.locator("#curves-note")).not_to_have_text(whole)

    def steps() -> int:
        told = page.locator("#curves-note").text_content() or ""
        return int(re.findall(r"([\d,]+) steps", told)[0].replace(",", ""))

    near = steps()
    assert 80 < near < 160 and f"{page.url}".count("#steps=")
    expect(page.locator("#ranges [aria-pressed=true]")).to_have_count(0)
    page.reload()
    wait_for_curve(page)
    assert abs(steps() - near) <= 2
    page.locator("#plot-loss").focus()
    page.keyboard.press("+")
    expect(page.locator("#curves-note")).to_contain_text(
        re.compile(rf", {near // 2}|, {near // 2 + 1} steps")
    )
    page.keyboard.press("0")
    expect(page.locator("#curves-note")).to_have_text(whole)
    expect(page.locator("#ranges [data-range='0']")).to_have_attribute("aria-pressed", "true")
    assert "#" not in page.url


def test_what_is_shown_can_be_taken_away(lab: Lab, look: Look, tmp_path: Path) -> None:
    busy_day(lab, 120)
    page = look()
    wait_for_curve(page)
    page.locator("#plot-loss").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.wait_for_url("**#steps=*")
    page.locator("#save summary").click()
    for kind, start in (("csv", b"first_step,step,time"), ("html", b"<!doctype html>")):
        with page.expect_download() as saved:
            page.locator(f"#save-{kind}").click()
        assert re.fullmatch(rf".*-steps-\d+-\d+\.{kind}", saved.value.suggested_filename)
        kept = tmp_path / kind
        saved.value.save_as(kept)
        assert kept.read_bytes().startswith(start)
    steps = [int(line.split(",")[1]) for line in (tmp_path / "csv").read_text().splitlines()[1:]]
    first, last = re.search(r"steps=(\d+)-(\d+)", page.url).groups()  # type: ignore[union-attr]
    assert steps[0] >= int(first) and steps[-1] == min(int(last), 120) and len(steps) < 100
    with page.expect_download() as saved:
        page.locator("#save-png").click()
    saved.value.save_as(tmp_path / "png")
    picture = (tmp_path / "png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 5_000
    page.keyboard.press("Escape")
    expect(page.locator("#save")).not_to_have_attribute("open", "")
