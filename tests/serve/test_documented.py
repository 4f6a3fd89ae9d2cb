"""The schema says what the routes do: errors of OpenAI's shape, nothing unknown taken."""

from __future__ import annotations

from pathlib import Path

from regime3.paths import Lab
from regime3.serve.refusals import BY_THE_GUARD
from tests.ship.node import an_uploading_app


def test_every_route_documents_its_refusals_and_its_answer(tmp_path: Path) -> None:
    app, _ = an_uploading_app(Lab(tmp_path))
    for path, methods in app.openapi()["paths"].items():
        for method, route in methods.items():
            if method == "options":
                continue
            statuses = set(route["responses"])
            assert {str(status) for status in BY_THE_GUARD} <= statuses, (path, method)
            shape = route["responses"]["400"]["content"]["application/json"]["schema"]
            assert shape["$ref"].endswith("/RefusalBody")
            assert route["summary"] and route["description"], (path, method)


def test_bodies_take_nothing_unknown(tmp_path: Path) -> None:
    app, _ = an_uploading_app(Lab(tmp_path))
    shapes = app.openapi()["components"]["schemas"]
    for name in ("RegisterBody", "SetActiveBody", "ActivateBody"):
        assert shapes[name]["additionalProperties"] is False
