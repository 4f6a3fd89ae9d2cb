"""The app without a browser: every route guarded, every answer honest."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from regime3.config import Settings, Web
from regime3.errors import SettingsError, Unavailable
from regime3.listening import address_of
from regime3.paths import Lab
from regime3.web.app import STATIC, create_app
from regime3.web.guard import ACTING
from regime3.web.pages import DOORS, page
from regime3.web.server import bind, serve
from tests.web.labs import busy_day, loop_day

TOKEN = "correct horse battery staple"
LOCAL = "http://127.0.0.1:8080"


def client(lab: Lab, base_url: str = LOCAL, **web: Any) -> TestClient:
    return TestClient(create_app(lab, Settings(web=Web(**web))), base_url)


def every_address(lab: Lab) -> list[str]:
    """Each route of the app, and a file under each mount."""
    app = create_app(lab, Settings())
    found = []
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        found.append(f"{route.path}/live.js" if isinstance(route, Mount) else route.path)
    assert len(found) >= 7
    return [*found, "/no-such-page"]


def test_every_route_wants_the_token_beyond_loopback(lab: Lab) -> None:
    guarded = client(lab, "http://192.168.1.20:8080", host="0.0.0.0", token=TOKEN)
    for address in every_address(lab):
        assert guarded.get(address).status_code == 401, address
        wrong = guarded.get(address, headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401, address
        right = guarded.get(address, headers={"authorization": f"Bearer {TOKEN}"})
        assert right.status_code != 401, address


def test_the_token_in_the_address_is_traded_for_a_cookie(lab: Lab) -> None:
    guarded = client(lab, "http://192.168.1.20:8080", host="0.0.0.0", token=TOKEN)
    first = guarded.get("/", params={"token": TOKEN})
    cookie = first.headers["set-cookie"]
    assert first.status_code == 200 and TOKEN not in cookie
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert guarded.get("/api/live").status_code == 200
    guarded.cookies.clear()
    guarded.cookies.set("regime3", "0" * 64)
    assert guarded.get("/api/live").status_code == 401


def test_every_route_refuses_to_be_written_to(lab: Lab) -> None:
    page = client(lab)
    for address in every_address(lab):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            if method == "POST" and address in ACTING:
                continue  # see test_acts
            assert page.request(method, address).status_code == 405, (method, address)
        assert page.head(address).status_code in (200, 400, 404, 405, 503)


def test_every_answer_carries_the_strict_headers(lab: Lab) -> None:
    page = client(lab)
    for address in every_address(lab):
        headers = page.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] in ("no-store", "no-cache")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "10.0.0.7", "localhost.evil.example", ""]
)
def test_a_name_that_is_not_ours_is_refused(lab: Lab, host: str) -> None:
    assert client(lab).get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9", "127.0.0.1:8080", "[::1]:8080", "[::1]"]
)
def test_every_name_of_loopback_is_ours(lab: Lab, host: str) -> None:
    assert client(lab).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "trainer.lan"])
def test_an_open_address_without_a_token_refuses_to_start(lab: Lab, host: str) -> None:
    with pytest.raises(SettingsError, match=r"web\.token"):
        serve(lab, Settings(web=Web(host=host, port=0)))
    with pytest.raises(SettingsError, match="can be guessed"):
        create_app(lab, Settings(web=Web(host=host, token="short")))


def test_a_busy_port_is_one_sentence_and_the_next_command(lab: Lab) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"port {port}.*\n  next: r3 web --set web.port="):
            bind(Web(port=port))


def test_a_busy_second_door_closes_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first = socket.socket()
    monkeypatch.setattr("regime3.listening.bind", lambda _, port, name, __: given(port, name))

    def given(port: int, name: str) -> socket.socket:
        if port == 8080:
            return first
        raise Unavailable(f"{name} cannot use port {port}", "r3 web")

    with pytest.raises(Unavailable, match="the memory page cannot use port 8081"):
        bind(Web())
    assert first.fileno() == -1


def test_each_door_opens_on_its_page_and_every_page_is_on_each(lab: Lab) -> None:
    doors = {8080: "live", 8081: "memory", 8082: "lab"}
    app = create_app(lab, Settings(), doors=doors)
    for port, own in doors.items():
        caller = TestClient(app, f"http://127.0.0.1:{port}")
        assert f'data-page="{own}"' in caller.get("/").text
        for name in DOORS:
            found = caller.get(f"/{name}")
            assert f'data-page="{name}"' in found.text
            assert f'href="/{name}" aria-current=page' in found.text
            tag = {"if-none-match": found.headers["etag"]}
            assert caller.get(f"/{name}", headers=tag).status_code == 304


@contextlib.contextmanager
def closing_all(listeners: list[socket.socket]) -> Iterator[list[socket.socket]]:
    try:
        yield listeners
    finally:
        for each in listeners:
            each.close()


def test_the_address_is_one_that_a_browser_opens() -> None:
    with closing_all(bind(Web(port=0))) as (listener, *_):
        port = listener.getsockname()[1]
        assert address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(listener, "0.0.0.0") == f"http://127.0.0.1:{port}/"


def test_static_files_end_at_their_folder(lab: Lab) -> None:
    page = client(lab)
    for address in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/",
    ):
        assert page.get(address).status_code == 404
    assert page.get("/static/live.js").headers["content-type"].startswith("text/javascript")


def test_a_missing_or_torn_status_is_503_with_the_reason(lab: Lab) -> None:
    page = client(lab)
    missing = page.get("/status/training_status.json")
    assert missing.status_code == 503 and missing.json()["next"] == "r3 up"
    lab.status.mkdir()
    lab.status_file.write_text('{"sequence": 1, ')
    torn = page.get("/status/training_status.json")
    assert torn.status_code == 503 and "not whole" in torn.json()["reason"]
    assert page.get("/api/live").json()["problem"]["next"] == "r3 doctor"
    lab.status_file.write_text('{"sequence": "many"}')
    assert "does not fit" in page.get("/api/live").json()["problem"]["reason"]


def test_an_unchanged_status_is_not_sent_again(lab: Lab) -> None:
    busy_day(lab, 12)
    page = client(lab)
    first = page.get("/api/live")
    again = page.get("/api/live", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    assert first.json()["judgement"]["state"] == "alive"


def test_the_history_answers_in_common_buckets_and_null_for_unmeasured(lab: Lab) -> None:
    busy_day(lab, 90)
    page = client(lab)
    path = "/api/history?metric=loss,validation_loss&points=30"
    answer = page.get(path)
    table = answer.json()
    assert len(table["time"]) == 30 and table["step"][-1] == 90 and table["first"][0] == 1
    assert all(value is not None for value in table["metrics"]["loss"]["max"])
    assert None in table["metrics"]["validation_loss"]["mean"]
    few = page.get("/api/history?metric=loss:min:max,validation_loss:last&points=30").json()
    assert {name: sorted(kinds) for name, kinds in few["metrics"].items()} == {
        "loss": ["max", "min"],
        "validation_loss": ["last"],
    }
    assert few["metrics"]["loss"]["max"] == table["metrics"]["loss"]["max"]
    tag = answer.headers["etag"]
    assert page.get(path, headers={"if-none-match": tag}).status_code == 304
    part = page.get("/api/history?metric=loss&first=11&last=20").json()
    assert part["step"] == list(range(11, 21))
    recent = page.get(f"/api/history?metric=loss&since={table['time'][-1] - 61}").json()
    assert 3 <= len(recent["step"]) <= 40


@pytest.mark.parametrize(
    "query",
    ["", "metric=", "metric=colour", "metric=loss:median", "metric=:min",
     "metric=loss&first=-1", "metric=loss&points=many",
     "metric=loss&since=now", "metric=loss&last=1e9", "metric=loss&first=%F0%9D%9F%99"],
)  # fmt: skip
def test_a_bad_query_is_refused_with_the_reason(lab: Lab, query: str) -> None:
    answer = client(lab).get(f"/api/history?{query}")
    assert answer.status_code == 400 and answer.json()["error"]


def test_an_empty_lab_has_an_empty_history_and_no_events(lab: Lab) -> None:
    page = client(lab)
    assert page.get("/api/history?metric=loss").json()["time"] == []
    assert page.get("/api/events").json() == {"events": []}
    assert page.get("/healthz").json() == {"ok": True}


def test_events_come_newer_than_asked(lab: Lab) -> None:
    busy_day(lab, 12)
    page = client(lab)
    events = page.get("/api/events").json()["events"]
    assert page.get(f"/api/events?after={events[-2]['number']}").json()["events"] == events[-1:]


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_code() -> None:
    pages = {name: page(name)[0].decode() for name in DOORS}
    for html in pages.values():
        assert not re.search(r"<script(?![^>]*\bsrc=)", html) and "<style" not in html
        assert not re.search(r"\son\w+=|\sstyle=|\{\{", html)
    files = {path.name: path.read_text() for path in [*STATIC.glob("*.js"), *STATIC.glob("*.css")]}
    for name, text in {**files, **pages}.items():
        outside = re.findall(
            r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"https?://www\.w3\.org\S*", "", text)
        )
        assert outside == [], (name, outside)
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text
    for path in STATIC.glob("*.js"):
        assert len(path.read_text().splitlines()) < 300, path.name


def test_what_is_vendored_carries_its_licence() -> None:
    assert "MIT" in (STATIC / "vendor" / "uplot" / "LICENSE").read_text()
    assert "SIL Open Font License" in (STATIC / "fonts" / "OFL.txt").read_text()
    fonts = sum(path.stat().st_size for path in (STATIC / "fonts").glob("*.woff2"))
    assert fonts < 120_000


def test_web_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, regime3.web; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_address_is_left_in_the_lab_while_the_page_answers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(self: Any, sockets: Any) -> None:
        seen.append(json.loads(lab.web_address_file.read_text()))

    monkeypatch.setattr("uvicorn.Server.run", run)
    told: list[str] = []
    before = [signal_handlers() for _ in range(1)]
    serve(lab, Settings(web=Web(port=0)), told.append)
    restore(before[0])
    assert len(told) == 1 and told[0].startswith(f"live page: {seen[0]['url']} (memory http")
    assert not lab.web_address_file.exists()


def signal_handlers() -> dict[int, Any]:
    import signal

    return {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}


def restore(handlers: dict[int, Any]) -> None:
    import signal

    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_static_folder_ships_every_module_the_page_names() -> None:
    for html in (page(name)[0].decode() for name in DOORS):
        for name in re.findall(r'"/static/([^"]+)"', html):
            assert (STATIC / name).is_file(), name
    for path in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text()):
            assert (Path(path.parent) / name).is_file(), name


def test_the_loop_is_told_once_and_then_as_before(lab: Lab) -> None:
    empty = client(lab).get("/api/loop")
    assert empty.json()["judge"]["verdicts"] == [] and empty.json()["attempts"] is None
    loop_day(lab)
    told = client(lab).get("/api/loop", headers={"if-none-match": empty.headers["etag"]})
    assert [each["word"] for each in told.json()["judge"]["verdicts"]][-1] == "rollback"
    again = client(lab).get("/api/loop", headers={"if-none-match": told.headers["etag"]})
    assert again.status_code == 304


def test_a_damaged_forge_file_is_said_and_the_rest_is_shown(lab: Lab) -> None:
    loop_day(lab)
    lab.forge_file.write_text("{", encoding="utf-8")
    told = client(lab).get("/api/loop").json()
    assert told["forge"] is None and "forge.json" in told["problem"]["reason"]
    assert len(told["judge"]["verdicts"]) == 5
