"""Telemetry over HTTP: true readings, null with a reason, and simulation never hidden."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from regime3.records.wire import Pulse
from regime3.serve.metrics import JOBS_MAX, ROUTES_MAX, Metrics
from regime3.serve.telemetry import LOG_BYTES_MAX, LOG_LINES_MAX, LOGS
from tests.serve.telling import Told


@pytest.fixture
def node(tmp_path: Path) -> Told:
    return Told(tmp_path)


def samples(node: Told) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = node.client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def one(node: Told, name: str, **labels: str) -> float:
    return samples(node)[f"regime3_node_{name}", frozenset(labels.items())]


CARD = {"card": "GPU-simulated", "simulated": "true"}


def test_a_simulated_card_says_so_wherever_it_is_read(node: Told) -> None:
    (card,) = node.client.get("/gpu").json()["cards"]
    assert card["simulated"] is True and card["power_w"] == 187.5
    assert node.client.get("/info").json()["power_simulated"] is True
    applied = node.client.put("/settings/power_profile", json={"profile": "quiet"}).json()["cards"]
    assert [card["simulated"] for card in applied] == [True]
    assert one(node, "power_draw_watts", **CARD) == 187.5
    for name, labels in samples(node):
        if "watts" in name or "joules" in name or "celsius" in name:
            assert ("simulated", "true") in labels, name


def test_without_a_card_readings_are_null_with_the_reason(tmp_path: Path) -> None:
    node = Told(tmp_path, simulated=False)
    assert node.client.get("/gpu").json() == {"cards": None, "reason": "no driver"}
    assert not [name for name, _ in samples(node) if "watts" in name or "joules" in name]
    for method in ("PUT", "POST"):
        answer = node.client.request(method, "/settings/power_profile", json={"profile": "quiet"})
        assert answer.status_code == 409 and answer.json()["error"]["code"] == "no_card"
    assert node.client.get("/settings/power_profile").json()["reason"] == "no driver"
    assert node.slots == [64]


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(("name", "watts", "slots"), [("quiet", 220, 16), ("max", 350, 128)])
def test_a_profile_is_set_over_http(
    node: Told, method: str, name: str, watts: float, slots: int
) -> None:
    body = node.client.request(method, "/settings/power_profile", json={"profile": name}).json()
    assert (body["profile"], body["by"], body["slots"]) == (name, "hand", slots)
    assert body["cards"][0]["enforced_w"] == watts and node.slots[-1] == slots
    assert node.client.get("/settings/power_profile").json() == body
    assert node.client.get("/gpu").json()["cards"][0]["power_limit_w"] == watts


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_auto_gives_a_profile_back(node: Told, method: str) -> None:
    before = node.client.get("/settings/power_profile").json()
    node.client.put("/settings/power_profile", json={"profile": "quiet"})
    body = node.client.request(method, "/settings/power_profile", json={"profile": "auto"}).json()
    assert body == before and body["by"] == "settings"
    assert node.slots[-1] == before["slots"]


def test_auto_holds_already_without_a_card(tmp_path: Path) -> None:
    node = Told(tmp_path, simulated=False)
    answer = node.client.post("/settings/power_profile", json={"profile": "auto"})
    assert answer.status_code == 200 and answer.json()["profile"] == "none"


@pytest.mark.parametrize(
    "body",
    [{}, {"profile": "none"}, {"profile": None}, {"profile": ["quiet"]}, [], "quiet", 5,
     {"profile": "quiet", "watts": 3}, {"profile": "QUIET"}],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused(node: Told, body: Any) -> None:
    answer = node.client.put("/settings/power_profile", json=body)
    assert answer.status_code == 400 and answer.json()["error"]["message"]
    assert node.keeper.profile == "none"


def test_the_schedule_says_what_comes_next(tmp_path: Path) -> None:
    node = Told(tmp_path, quiet_hours="22:00-07:00", profile="normal")
    body = node.client.get("/settings/power_schedule").json()
    assert body["by"] == "hours" and body["quiet_hours"] == "22:00-07:00"
    assert body["next_at"] > node.clock.now()
    assert {body["profile"], body["next_profile"]} == {"quiet", "normal"}
    assert body["temperature_c_max"] == 87.0


def test_what_was_changed_of_the_power_is_told_with_its_time(node: Told) -> None:
    assert node.client.get("/settings/power_changes").json() == {"changes": []}
    node.client.put("/settings/power_profile", json={"profile": "quiet"})
    (change,) = node.client.get("/settings/power_changes").json()["changes"]
    assert change["at"] == node.clock.now() and "220 W" in change["text"]


def test_ready_tells_why_the_model_that_is_asked_by_default_does_not_answer(node: Told) -> None:
    node.telemetry.why_not = lambda: "nano could not be loaded again"
    answer = node.client.get("/ready")
    assert answer.status_code == 503
    assert "nano could not be loaded again" in answer.json()["error"]["message"]


def test_ready_is_true_only_with_a_model_and_an_engine(node: Told) -> None:
    assert node.client.get("/ready").json() == {"status": "ready", "models": ["nano"]}
    cards, node.engine.cards = node.engine.cards, {}
    answer = node.client.get("/ready")
    assert answer.status_code == 503 and "no model" in answer.json()["error"]["message"]
    node.engine.cards = cards
    for state in ("starting", "restarting", "dead", "stopped"):
        node.engine.state = state
        answer = node.client.get("/ready")
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "not_ready"
        assert state in answer.json()["error"]["message"]
        assert node.client.get("/health").json() == {"status": "ok"}


def test_system_tells_of_this_machine_and_this_process(node: Told) -> None:
    node.clock.advance(5)
    body = node.client.get("/system").json()
    assert body["memory_total_bytes"] >= body["memory_used_bytes"] > 0
    assert body["disk_total_bytes"] > 0 and len(body["load"]) == 3
    assert body["node_uptime_s"] == 5.0
    assert body["processes"][0]["role"] == "http" and body["processes"][0]["memory_bytes"] > 0


def test_info_and_version_name_what_runs(node: Told) -> None:
    info, version = node.client.get("/info").json(), node.client.get("/version").json()
    assert info["version"] == version["version"] == "0.1.0"
    assert info["models"][0]["name"] == "nano" and info["limits"]["samples_max"] == 64


# ----------------------------------------------------------------------- logs


def test_a_log_is_its_last_lines(node: Told) -> None:
    assert node.client.get("/logs/node").json() == {"component": "node", "lines": None}
    node.lab.logs.mkdir(parents=True)
    text = "".join(f"line {number}\n" for number in range(5000))
    node.lab.log_file("node").write_bytes(text.encode() + b"\xff\x00 end")
    for count in (1, 200, LOG_LINES_MAX):
        lines = node.client.get("/logs/node", params={"lines": count}).json()["lines"]
        assert len(lines) == count and lines[-1].startswith("�")
    assert len(node.client.get("/logs/node").json()["lines"]) == 200
    node.lab.log_file("engine").write_bytes(b"x" * (LOG_BYTES_MAX + 5) + b"\nlast")
    assert node.client.get("/logs/engine").json()["lines"] == ["last"]


@pytest.mark.parametrize("lines", ["0", "-1", str(LOG_LINES_MAX + 1), "x", "1.5", "9" * 400])
def test_a_number_of_lines_out_of_bounds_is_refused(node: Told, lines: str) -> None:
    assert node.client.get("/logs/node", params={"lines": lines}).status_code == 400


@pytest.mark.parametrize(
    "name", ["tokens", "..%2fregime3", "%2e%2e", "node.log", "NODE", "%00", "node%2f..", "é"]
)
def test_a_log_is_named_and_never_a_path(node: Told, name: str) -> None:
    assert node.client.get(f"/logs/{name}").status_code in (400, 404)
    assert "audit" in LOGS


# ----------------------------------------------------------------------- metrics


def test_what_the_parts_tell_is_what_is_scraped(node: Told) -> None:
    told = node.metrics
    told.request_done("/v1/models", 200, 0.03)
    told.request_done("/v1/models", 200, 0.03)
    told.first_token(0.2)
    told.inter_token(0.01)
    told.swapped("load", 1.0)
    told.swapped("nonsense", 1.0)
    told.job_progress("job-1", "eval", 3, 9)
    assert one(node, "requests_total", route="/v1/models", status="200") == 2
    assert one(node, "request_seconds_count", route="/v1/models") == 2
    assert one(node, "time_to_first_token_seconds_count") == 1
    assert one(node, "inter_token_seconds_sum") == 0.01
    assert one(node, "swap_seconds_count", phase="load") == 1
    assert one(node, "swap_seconds_count", phase="other") == 1
    assert one(node, "job_items_done", job="job-1", kind="eval") == 3
    assert one(node, "queue_depth") == 4 and one(node, "running") == 3
    assert one(node, "engine_up") == 1 and one(node, "engine_restarts_total") == 0
    assert [name for name, _ in samples(node) if name == "regime3_node_build_info"]


def test_counts_keep_growing_when_the_engine_begins_again(node: Told) -> None:
    assert one(node, "tokens_written_total") == 100
    node.engine.pulse = Pulse(0, 0, 0, 64, 130, 950)
    assert one(node, "tokens_written_total") == 130
    node.engine.pulse, node.engine.restarts = Pulse(0, 0, 0, 64, 7, 0), 1
    assert one(node, "tokens_written_total") == 137 and one(node, "tokens_read_total") == 950
    assert one(node, "engine_restarts_total") == 1


def test_energy_grows_and_is_shared_among_tokens(node: Told) -> None:
    assert one(node, "energy_joules_total", **CARD) == 0
    node.clock.advance(10)
    assert one(node, "energy_joules_total", **CARD) == 1875.0
    assert one(node, "energy_per_token_joules", simulated="true") == 1.875


def test_labels_are_bounded() -> None:
    metrics = Metrics()
    for number in range(ROUTES_MAX + 50):
        metrics.request_done(f"/r/{number}", 200, 0.1)
        metrics.job_progress(f"job-{number}", "eval", 1, 2)
    metrics.job_progress("job-177", "generate", 1, 2)
    metrics.job_gone("job-176")
    metrics.job_gone("never")
    text = metrics.text().decode()
    assert text.count("regime3_node_requests_total{") == ROUTES_MAX + 1
    assert text.count("regime3_node_job_items_done{") == JOBS_MAX - 1
    assert 'route="other"' in text and 'job="job-177",kind="generate"' in text


def test_two_nodes_in_one_process_never_mix() -> None:
    one, other = Metrics(), Metrics()
    one.first_token(1.0)
    assert b"time_to_first_token_seconds_count 0.0" in other.text()
    assert not [family for family in REGISTRY.collect() if family.name.startswith("regime3")]


# ----------------------------------------------------------------------- the document


def test_the_document_says_what_is_answered(node: Told) -> None:
    document = node.app.openapi()
    assert set(document["paths"]) >= {"/gpu", "/system", "/metrics", "/health", "/ready", "/info"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = set(operation["responses"])
            assert {"200", "400", "401", "403", "413", "429"} <= answers, (path, method)
            assert ("503" in answers) == (path == "/ready")
            assert operation["description"] and operation["tags"]
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Body") or name == "ProfileAsked":
            assert schema["additionalProperties"] is False, name
    assert json.dumps(document)


def test_the_node_keeps_what_its_box_was_like_and_no_simulated_card(node: Told) -> None:
    for _ in range(8):
        node.clock.advance(5.0)
        node.telemetry.note()
    found = node.client.get("/system/history?seconds=3600&points=10").json()
    figures = found["figures"]
    assert len(found["time"]) > 1
    assert all(value > 0 for value in figures["memory_used_bytes"]["last"])
    assert all(value > 0 for value in figures["disk_free_bytes"]["min"])
    assert set(figures["gpu_power_w"]["last"]) == {None}, "a simulated reading is none"
    assert node.client.get("/system/history?seconds=1").json()["time"] == []
    assert node.client.get("/system/history?points=0").status_code == 400
    assert not node.lab.machine_log("10s").exists(), "the trainer's own is another file"


def test_the_processor_is_read_alike_by_every_thread(node: Told) -> None:
    assert node.client.get("/system").json()["cpu_percent"] is None, "nothing to compare with yet"
    for _ in range(3):
        sum(number * number for number in range(400_000))
        node.clock.advance(2.0)
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(node.telemetry.system) for _ in range(4)]
            found = [each.result()["cpu_percent"] for each in asked]
        assert len(set(found)) == 1 and found[0] is not None and 0 < found[0] <= 100
