"""A real server on a loopback port, and a real Chromium that looks at it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from regime3.bench.browser import FLAGS, find
from regime3.config import Settings, Web
from regime3.listening import address_of
from regime3.paths import Lab
from regime3.web.server import bind, make_server


@contextmanager
def serving(lab: Lab) -> Iterator[str]:
    """The lab's page on a loopback port of its own; yields its address."""
    settings = Settings(web=Web(port=0))
    listeners = bind(settings.web)
    server = make_server(lab, settings, listeners)
    thread = threading.Thread(target=server.run, kwargs={"sockets": listeners})
    thread.start()
    try:
        yield address_of(listeners[0], settings.web.host)
    finally:
        server.should_exit = True
        thread.join()
        for each in listeners:
            each.close()


@contextmanager
def launched() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    executable = find()
    if executable is None:
        pytest.fail("no Chromium found; run: python -m tests.browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, headless=True, args=FLAGS, timeout=60_000
        )
        yield browser
        browser.close()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def serve_lab(lab: Lab) -> Iterator[str]:
    with serving(lab) as url:
        yield url


def _complaint(message: ConsoleMessage) -> list[str]:
    """An error on the console; none where a refusal was asked for."""
    asked = re.search(r"/api/(lab/lineage|session|act|chat)\b", message.location["url"])
    return [message.text] if message.type == "error" and not asked else []


@pytest.fixture
def look(browser: Browser, serve_lab: str) -> Iterator[Callable[..., Page]]:
    """`look(width, scheme, name)` opens a page, after a script; an error on its console fails."""
    contexts, complaints = [], []

    def open_page(
        width: int = 1440, scheme: str = "dark", name: str = "live", script: str = ""
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(script)
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.on(
            "requestfailed",
            lambda request: (
                None  # a reload breaks off what was under way
                if request.failure == "net::ERR_ABORTED"
                else complaints.append(f"{request.failure}: {request.url}")
            ),
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(serve_lab)
                else complaints.append(f"asked elsewhere: {request.url}")
            ),
        )
        page.goto(serve_lab + name)
        expect(page.locator("#mini")).not_to_be_empty()
        return page

    yield open_page
    heard = list(complaints)  # closing a page breaks off its last request
    for context in contexts:
        context.close()
    assert heard == []
