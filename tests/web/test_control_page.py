"""Acting in a real browser: behind a token, confirmed, taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from regime3 import control
from regime3.clock import SystemClock
from regime3.config import Queue, Settings
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.records.status import QueueFile, QueueState
from regime3.spool import Spool, place_in_inbox
from regime3.tokens import TokenFile
from regime3.vault import Vault
from tests.web.labs import busy_day
from tests.web.test_axe import findings

Look = Callable[..., Page]
ROW = '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n'


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab with checkpoints, an admitted file, and a trainer's status that shows it."""
    lab = Lab(tmp_path / "lab")
    found_lab(lab.root, build_nano, NANO_SETTINGS, "nano")
    vault = Vault(lab, SystemClock())
    for step in (10, 20):
        vault.point_current_model(vault.reseal(vault.head(), Ledger(step=step), "steps"))
    (tmp_path / "math.jsonl").write_text(ROW + ROW.replace('"a"', '"c"'))
    place_in_inbox(lab, tmp_path / "math.jsonl", "normal")
    spool = Spool(lab, Settings(queue=Queue(settle_s=0.0)), SystemClock())
    while not spool.files():
        spool.admit_once()
    (meta,) = spool.files().values()
    day = busy_day(lab, 30)
    listed = [QueueFile(meta.id, "math", "normal", 2)]
    day.board.update(queue=QueueState(listed, 1, rows_admitted=2, rows_left=2))
    day.write()
    return lab


def signed_in(lab: Lab, page: Page) -> Page:
    text = TokenFile(lab, "viewer").create("control", "test", 0.0)[0]
    page.get_by_role("button", name="Control").click()
    page.get_by_label("Control token").fill(text)
    page.get_by_label("Control token").press("Enter")
    expect(page.locator("#acting-title")).to_have_text("Control")
    return page


def confirm(page: Page, name: str) -> None:
    page.locator("#acting").get_by_role("button", name=name).last.click()
    expect(page.locator("#acting")).to_be_hidden()


def test_without_a_token_nothing_can_be_done(lab: Lab, look: Look) -> None:
    page = look()
    expect(page.locator("#queue .may-act").first).to_be_hidden()
    page.get_by_role("button", name="Control").click()
    expect(page.get_by_label("Control token")).to_be_focused()
    assert findings(page) == []
    page.get_by_label("Control token").fill("r3c_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is no token that may act.")
    page.keyboard.press("Escape")
    expect(page.locator("#acting")).to_be_hidden()


def test_a_pause_is_confirmed_and_undone(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look())
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#acting")).to_contain_text("until it is resumed")
    assert control.paused(lab) is None  # nothing yet
    page.get_by_role("button", name="Leave it").click()
    expect(page.locator("#acting-title")).to_have_text("Control")
    page.get_by_role("button", name="Pause").click()
    confirm(page, "Pause training")
    expect(page.locator("#toast")).to_contain_text("Paused: asked on the page")
    assert control.paused(lab) is not None
    assert findings(page) == []
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("Resumed")
    assert control.paused(lab) is None


def test_a_file_is_skipped_from_its_row_and_goes_on(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look())
    page.keyboard.press("Escape")
    page.locator("#queue").get_by_role("button", name="Skip").click()
    expect(page.locator("#acting-title")).to_have_text("Skip math")
    confirm(page, "Skip math")
    expect(page.locator("#toast")).to_contain_text("Skip math")
    assert list(Vault(lab, SystemClock()).head().ledger.ended.values()) == ["skipped"]
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("Retry math")
    assert not Vault(lab, SystemClock()).head().ledger.ended


def test_a_file_is_moved_from_the_menu(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look())
    page.get_by_label("Lane").select_option("high")
    page.locator("#acting").get_by_role("button", name="Move").click()
    confirm(page, "Move math to high")
    expect(page.locator("#toast")).to_contain_text("Move math")
    (meta,) = Spool(lab, Settings(), SystemClock()).files().values()
    assert meta.lane == "high"


def test_a_checkpoint_is_promoted_from_its_row(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look(name="lab"))
    page.keyboard.press("Escape")
    row = page.locator("#kept tbody tr").filter(has_text="kept").first
    number = int(row.locator("th button").inner_text())
    row.get_by_role("button", name="Promote").click()
    confirm(page, f"Promote checkpoint {number}")
    expect(page.locator("#toast")).to_contain_text(f"Checkpoint {number} is the champion")
    assert ledger.standing_of(lab).champion == number


def test_a_rollback_says_that_it_stands(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look(name="lab"))
    page.locator("#acting").get_by_label("Checkpoint", exact=True).select_option("2")
    page.get_by_role("button", name="Go back to it").click()
    expect(page.locator("#acting")).to_contain_text("This cannot be undone")
    confirm(page, "Go back to checkpoint 2")
    expect(page.locator("#toast")).to_contain_text("Rolled back")
    expect(page.locator("#toast").get_by_role("button", name="Undo")).to_have_count(0)
    assert Vault(lab, SystemClock()).head().manifest.rolled_back_from == 3


def test_a_refusal_is_told_with_the_next_command(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look())
    page.get_by_role("button", name="Seal a checkpoint").click()
    confirm(page, "Seal a checkpoint")
    expect(page.locator("#toast")).to_contain_text("no trainer runs that could seal")
    expect(page.locator("#toast code")).to_have_text("r3 trainer")


def test_a_session_holds_on_every_page_and_ends(lab: Lab, look: Look) -> None:
    page = signed_in(lab, look())
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Lab").click()
    expect(page.locator("#kept .may-act").first).to_be_visible()
    page.get_by_role("button", name="Control").click()
    assert findings(page) == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#kept .may-act").first).to_be_hidden()


@pytest.mark.parametrize("width", [320, 360, 1440])
def test_the_dialog_fits(lab: Lab, look: Look, width: int) -> None:
    page = signed_in(lab, look(width))
    box = page.locator("#acting").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator("#acting").evaluate("node => node.scrollWidth - node.clientWidth") <= 0
