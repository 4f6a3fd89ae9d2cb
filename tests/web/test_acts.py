"""Acting over the page's API: who may, from where, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from regime3 import control
from regime3.config import Settings, Web
from regime3.paths import Lab
from regime3.tokens import TokenFile
from regime3.web.app import create_app
from regime3.web.guard import BODY_BYTES_MAX

LOCAL = "http://127.0.0.1:8080"
FAR = "http://192.168.1.20:8080"
TOKEN = "correct horse battery staple"
PAUSE = {"verb": "pause", "reason": "the cat"}


def client(lab: Lab, url: str = LOCAL, **web: Any) -> TestClient:
    return TestClient(create_app(lab, Settings(web=Web(**web))), url)


def far(lab: Lab) -> TestClient:
    return client(lab, FAR, host="0.0.0.0", token=TOKEN)


def token(lab: Lab, scope: Any = "control") -> str:
    return TokenFile(lab, "viewer").create(scope, "test", 0.0)[0]


def post(page: TestClient, path: str, body: Any, **headers: str) -> Any:
    given = {"origin": str(page.base_url), "content-type": "application/json", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return page.post(path, content=data, headers=given)


def signed_in(lab: Lab, page: TestClient | None = None) -> TestClient:
    page = page or client(lab)
    assert post(page, "/api/session", {"token": token(lab)}).status_code == 200
    return page


def test_a_session_begins_acts_and_ends(lab: Lab) -> None:
    page = client(lab)
    assert page.get("/api/session").json() == {"control": False}
    assert post(page, "/api/act", PAUSE).status_code == 403
    begun = post(page, "/api/session", {"token": token(lab)})
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert page.get("/api/session").json() == {"control": True}
    told = post(page, "/api/act", PAUSE).json()
    assert told["text"].startswith("paused: the cat") and told["undo"]["verb"] == "resume"
    assert control.paused(lab) is not None
    assert post(page, "/api/act", told["undo"]).status_code == 200
    assert control.paused(lab) is None
    post(page, "/api/session", {"token": ""})
    assert post(page, "/api/act", PAUSE).status_code == 403


def test_a_token_that_is_revoked_ends_its_session_at_once(lab: Lab) -> None:
    page = signed_in(lab)
    file = TokenFile(lab, "viewer")
    file.revoke(file.all()[0].id)
    assert page.get("/api/session").json() == {"control": False}
    assert post(page, "/api/act", PAUSE).status_code == 403 and control.paused(lab) is None


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999"])
def test_another_sites_page_cannot_act(lab: Lab, origin: str) -> None:
    page = signed_in(lab)
    assert post(page, "/api/act", PAUSE, origin=origin).status_code == 403
    assert post(page, "/api/session", {"token": ""}, origin=origin).status_code == 403
    assert page.get("/api/session").json() == {"control": True} and control.paused(lab) is None


def test_a_name_that_is_not_ours_cannot_act(lab: Lab) -> None:
    page = signed_in(lab)
    evil = {"host": "evil.example:8080", "origin": "http://evil.example:8080"}
    assert post(page, "/api/act", PAUSE, **evil).status_code == 421


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_cannot_act(lab: Lab, kind: str) -> None:
    page = signed_in(lab)
    assert post(page, "/api/act", PAUSE, **{"content-type": kind}).status_code == 415


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"verb":"format-disk"}', b'{"verb":"pause","more":1}',
     b'{"verb":"rollback","number":"one"}', b"\xff\xfe", b'{"verb":"move","lane":"fast"}'],
)  # fmt: skip
def test_what_is_no_act_is_refused(lab: Lab, body: bytes) -> None:
    answer = post(signed_in(lab), "/api/act", body)
    assert answer.status_code == 400 and answer.json()["error"].startswith("no act")


def test_too_much_is_refused(lab: Lab) -> None:
    page = signed_in(lab)
    assert post(page, "/api/act", b" " * (BODY_BYTES_MAX + 1)).status_code == 413
    lying = {"content-length": "-1"}
    assert post(page, "/api/act", PAUSE, **lying).status_code in (400, 413)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"token":1}', b'["x"]', b'{"token":"wrong"}'])
def test_what_is_no_token_begins_no_session(lab: Lab, body: bytes) -> None:
    page = client(lab)
    answer = post(page, "/api/session", body)
    assert answer.status_code in (200, 400, 403)
    assert page.get("/api/session").json() == {"control": False}


def test_what_cannot_be_done_is_said_with_the_next_command(lab: Lab) -> None:
    page = signed_in(lab)
    seal = post(page, "/api/act", {"verb": "seal"})
    assert (seal.status_code, seal.json()["next"]) == (503, "r3 trainer")
    assert post(page, "/api/act", {"verb": "power", "id": "loud"}).status_code == 409


def test_who_may_only_look_looks_from_afar_and_cannot_act(lab: Lab) -> None:
    page, text = far(lab), token(lab, "view")
    assert page.get("/api/live").status_code == 401
    assert page.get("/", params={"token": text}).status_code == 200
    assert page.get("/api/live").status_code == 200  # by the cookie that the first look left
    assert post(page, "/api/act", PAUSE).status_code == 403
    refused = post(page, "/api/session", {"token": text})
    assert (refused.status_code, refused.json()["error"]) == (403, "that token may only look")
    assert control.paused(lab) is None
    file = TokenFile(lab, "viewer")
    file.revoke(file.all()[0].id)
    assert page.get("/api/live").status_code == 401


def test_from_afar_web_token_looks_and_a_control_token_acts(lab: Lab) -> None:
    page = far(lab)
    assert page.get("/", params={"token": TOKEN}).status_code == 200
    assert post(page, "/api/act", PAUSE).status_code == 403
    signed_in(lab, page)
    assert post(page, "/api/act", PAUSE).status_code == 200
    bearer = far(lab)
    given = {"authorization": f"Bearer {token(lab)}"}
    assert post(bearer, "/api/act", {"verb": "resume"}, **given).status_code == 200


def test_the_nodes_own_tokens_are_none_here(lab: Lab) -> None:
    text = TokenFile(lab).create("admin", "node", 0.0)[0]
    page = client(lab)
    assert post(page, "/api/session", {"token": text}).status_code == 403
    assert post(page, "/api/act", PAUSE, authorization=f"Bearer {text}").status_code == 403
    assert far(lab).get("/api/live", headers={"authorization": f"Bearer {text}"}).status_code == 401


def test_damaged_tokens_let_nobody_act(lab: Lab) -> None:
    page = signed_in(lab)
    lab.web_tokens_file.write_text("{torn")
    assert post(page, "/api/act", PAUSE).status_code == 403
