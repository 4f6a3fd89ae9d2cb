"""The node's side of an upload, over HTTP without a socket: what is taken and what is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from regime3 import config, disk
from regime3.clock import FakeClock, SystemClock
from regime3.paths import Lab
from regime3.records.models import encode_manifest
from regime3.registry import Registry, verify
from regime3.serve.routes.uploads import uploads_of
from regime3.ship import tus, uploads
from regime3.ship.protocol import CONTENT
from tests.registry.folders import a_folder
from tests.ship.node import an_uploading_app

V = {"Tus-Resumable": "1.0.0"}


class Sender:
    """A model folder and a client that can do one thing at a time, rightly or wrongly."""

    def __init__(self, root: Path, http: httpx.AsyncClient, **made: Any) -> None:
        self.folder = a_folder(root / "model", **made)
        manifest = encode_manifest(verify(self.folder, hashes=True).manifest)
        (self.folder / "manifest.json").write_bytes(manifest)
        self.http = http
        self.names = ["manifest.json", "config.json", "model.safetensors", "tokenizer.json"]

    def data(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    @property
    def promise(self) -> str:
        return hashlib.sha256(self.data("manifest.json")).hexdigest()

    async def create(
        self, name: str, length: int | None = None, model: str = "m", promise: str | None = None
    ) -> httpx.Response:
        words = {"model": model, "file": name, "manifest": promise or self.promise}
        metadata = ",".join(
            f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in words.items()
        )
        size = len(self.data(name)) if length is None else length
        head = {**V, "Upload-Length": str(size), "Upload-Metadata": metadata}
        return await self.http.post("/models/uploads", headers=head)

    async def patch(
        self, name: str, data: bytes | AsyncIterator[bytes], offset: int = 0, **head: str
    ) -> httpx.Response:
        headers = {**V, "Upload-Offset": str(offset), "Content-Type": CONTENT, **head}
        url = f"/models/uploads/m/{name}"
        return await self.http.patch(url, headers=headers, content=data)

    async def head(self, name: str) -> httpx.Response:
        return await self.http.head(f"/models/uploads/m/{name}", headers=V)

    async def send(self, *names: str) -> None:
        for name in names:
            assert (await self.create(name)).status_code == 201
            told = await self.patch(name, self.data(name))
            assert told.status_code == 204, told.text


Scene = Callable[[Sender, Lab, Registry], Awaitable[None]]


def play(root: Path, scene: Scene, settings: config.Settings | None = None, **made: Any) -> None:
    async def run() -> None:
        lab = Lab(root / "lab")
        lab.node_models.mkdir(parents=True, exist_ok=True)
        app, registry = an_uploading_app(lab, settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await scene(Sender(root, http, **made), lab, registry)

    asyncio.run(run())


def refused(told: httpx.Response, status: int, code: str) -> None:
    assert (told.status_code, told.json()["error"]["code"]) == (status, code), told.text
    assert set(told.json()["error"]) == {"message", "type", "param", "code"}


def test_a_whole_model_is_published_with_its_last_file_and_not_before(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send(*sender.names[:3])
        assert not lab.node_model("m").exists() and not registry.list()
        await sender.send("tokenizer.json")
        assert registry.get("m").manifest_sha256 == sender.promise
        assert not list(lab.node_uploads.iterdir())
        assert verify(lab.node_model("m"), hashes=True).written

    play(tmp_path, scene)


def test_options_tell_what_is_spoken(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        told = await sender.http.options("/models/uploads")
        assert told.status_code == 204 and told.headers["Tus-Version"] == "1.0.0"
        assert set(told.headers["Tus-Extension"].split(",")) >= {"creation", "termination"}

    play(tmp_path, scene)


def test_the_manifest_comes_first(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        refused(await sender.create("config.json"), 409, "manifest_first")
        assert (await sender.create("manifest.json")).status_code == 201
        refused(await sender.create("config.json"), 409, "manifest_first")

    play(tmp_path, scene)


def test_a_manifest_that_is_not_the_one_promised_is_refused(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.create("manifest.json", promise="0" * 64)
        refused(
            await sender.patch("manifest.json", sender.data("manifest.json")), 422, "hash_mismatch"
        )

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "x.py", "../x.json", "a/b.json", "", ".x.json"]
)
def test_names_that_no_model_has_are_refused(tmp_path: Path, name: str) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        told = await sender.create(name, 10)
        assert told.status_code in (400, 422), told.text
        assert not lab.node_uploads.exists()

    play(tmp_path, scene)


@pytest.mark.parametrize("model", ["../m", "m/../../x", ".m", "champion", "", "x" * 97, "m\0"])
def test_ids_that_lead_elsewhere_are_refused(tmp_path: Path, model: str) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        assert (await sender.create("manifest.json", model=model)).status_code == 400
        for url in (f"/models/uploads/{model or '.'}/manifest.json", "/models/uploads/m/%2e%2e"):
            for method in ("HEAD", "DELETE"):
                told = await sender.http.request(method, url.replace("\0", "%00"), headers=V)
                assert told.status_code in (400, 404, 405, 422)

    play(tmp_path, scene)


def test_only_listed_files_of_the_listed_size_are_taken(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        refused(await sender.create("more.json", 10), 422, "file_not_listed")
        refused(await sender.create("config.json", 10), 422, "size_mismatch")

    play(tmp_path, scene)


def test_a_wrong_offset_is_told_the_right_one(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        data = sender.data("config.json")
        assert (await sender.patch("config.json", data[:100])).headers["Upload-Offset"] == "100"
        for offset in (0, 99, 101):
            refused(await sender.patch("config.json", data[100:200], offset), 409, "wrong_offset")
        assert (await sender.head("config.json")).headers["Upload-Offset"] == "100"
        assert (await sender.patch("config.json", data[100:], 100)).status_code == 204

    play(tmp_path, scene)


def test_more_than_was_announced_is_refused_with_and_without_a_length(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        data = sender.data("config.json")

        async def drip() -> AsyncIterator[bytes]:
            yield data
            yield b"more"

        refused(await sender.patch("config.json", data + b"x"), 413, "too_large")
        refused(await sender.patch("config.json", drip()), 413, "too_large")
        path = lab.node_upload_files("m") / "config.json"
        assert path.stat().st_size <= len(data)

    play(tmp_path, scene)


def test_a_wrong_hash_sends_the_file_back_to_its_beginning(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        data = sender.data("config.json")
        refused(await sender.patch("config.json", bytes(len(data))), 422, "hash_mismatch")
        assert (await sender.head("config.json")).status_code == 404
        await sender.send("config.json")

    play(tmp_path, scene)


def test_a_model_at_fault_is_refused_whole_and_leaves_nothing(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        path = sender.folder / "config.json"
        path.write_text(
            path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
        )
        manifest = sender.data("manifest.json").replace(
            hashlib.sha256(a_folder(tmp_path / "n").joinpath("config.json").read_bytes())
            .hexdigest()
            .encode(),
            hashlib.sha256(path.read_bytes()).hexdigest().encode(),
        )
        (sender.folder / "manifest.json").write_bytes(manifest)
        await sender.send(*sender.names[:3])
        await sender.create("tokenizer.json")
        told = await sender.patch("tokenizer.json", sender.data("tokenizer.json"))
        refused(told, 422, "config_mismatch")
        assert not lab.node_model("m").exists() and not list(lab.node_uploads.iterdir())

    play(tmp_path, scene)


def test_two_uploads_of_one_name_conflict_and_the_same_one_goes_on(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        refused(await sender.create("manifest.json", promise="1" * 64), 409, "upload_conflict")
        await sender.create("config.json")
        await sender.patch("config.json", sender.data("config.json")[:50])
        again = await sender.create("config.json")
        assert (again.status_code, again.headers["Upload-Offset"]) == (201, "50")
        await sender.patch("config.json", sender.data("config.json")[50:], 50)
        await sender.send(*sender.names[2:])
        refused(await sender.create("manifest.json"), 409, "model_exists")

    play(tmp_path, scene)


def test_one_sender_at_a_time_writes_a_file(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        data, go = sender.data("config.json"), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield data[:10]
            await go.wait()
            yield data[10:]

        first = asyncio.create_task(sender.patch("config.json", slowly()))
        await asyncio.sleep(0.05)
        refused(await sender.patch("config.json", data), 409, "upload_busy")
        told = await sender.http.delete("/models/uploads/m/manifest.json", headers=V)
        refused(told, 409, "upload_busy")
        go.set()
        assert (await first).status_code == 204

    play(tmp_path, scene)


def test_a_sender_that_falls_silent_is_cut_off_and_may_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "SILENCE_S_MAX", 0.05)

    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        data = sender.data("config.json")

        async def stalls() -> AsyncIterator[bytes]:
            yield data[:10]
            await asyncio.sleep(5)

        refused(await sender.patch("config.json", stalls()), 408, "too_slow")
        assert (await sender.head("config.json")).headers["Upload-Offset"] == "10"
        assert (await sender.patch("config.json", data[10:], 10)).status_code == 204

    play(tmp_path, scene)


def test_a_sender_that_drips_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "RATE_WINDOW_S", 0.05)

    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")

        async def drips() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"{"
                await asyncio.sleep(0.01)

        refused(await sender.patch("config.json", drips()), 408, "too_slow")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("head", "status"),
    [({"Tus-Resumable": "0.2.2"}, 412), ({"Content-Type": "text/plain"}, 415),
     ({"Upload-Offset": "-1"}, 422), ({"Upload-Offset": "x"}, 422),
     ({"Upload-Offset": "9" * 40}, 422)],
)  # fmt: skip
def test_a_request_out_of_protocol_is_refused(
    tmp_path: Path, head: dict[str, str], status: int
) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        told = await sender.patch("config.json", b"x", **head)
        assert told.status_code == status

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "words",
    ["", "model", "model !!!", "model bQ==", "model bQ==,file YQ==,manifest YQ==", "x" * 5000],
)
def test_metadata_that_says_nothing_is_refused(tmp_path: Path, words: str) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        head = {**V, "Upload-Length": "10", "Upload-Metadata": words}
        told = await sender.http.post("/models/uploads", headers=head)
        assert told.status_code in (400, 422)

    play(tmp_path, scene)


def test_a_model_larger_than_allowed_is_refused_by_its_manifest(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.create("manifest.json")
        told = await sender.patch("manifest.json", sender.data("manifest.json"))
        refused(told, 413, "too_large")
        assert not list(lab.node_uploads.iterdir())

    node = config.Node(upload_gb_max=0.001)
    play(tmp_path, scene, config.Settings(node=node), extra_bytes=2 << 20)


def test_an_upload_can_be_given_up(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json", "config.json")
        for name, left in (("config.json", True), ("manifest.json", False)):
            told = await sender.http.delete(f"/models/uploads/m/{name}", headers=V)
            assert told.status_code == 204
            assert (await sender.head(name)).status_code == 404
            assert lab.node_upload("m").exists() == left

    play(tmp_path, scene)


def test_what_nobody_goes_on_with_expires(tmp_path: Path) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        clock = SystemClock()
        late = FakeClock()
        late.advance(clock.now() - late.now() + uploads.STALE_S / 2)
        here = uploads_of(lab, config.Settings(), registry, late)
        here.sweep()
        assert lab.node_upload("m").exists()
        late.advance(uploads.STALE_S)
        here.sweep()
        assert not lab.node_upload("m").exists()

    play(tmp_path, scene)


def test_models_under_way_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOADS_MAX", 1)

    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.create("manifest.json")
        refused(await sender.create("manifest.json", model="n"), 429, "too_many_uploads")

    play(tmp_path, scene)


@pytest.mark.parametrize("at", range(1, 60, 3))
def test_a_disk_that_fills_at_any_moment_publishes_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        faults = disk.Faults("enospc", at)
        monkeypatch.setattr(disk, "faults", faults)
        seen: set[int] = set()
        for _ in range(2):
            for name in sender.names:
                if registry.list():
                    break
                told = await sender.create(name)
                seen.add(told.status_code)
                if told.status_code != 201:
                    continue
                safe = int(told.headers["Upload-Offset"])
                told = await sender.patch(name, sender.data(name)[safe:], safe)
                seen.add(told.status_code)
                assert not lab.node_model("m").exists() or verify(lab.node_model("m"), hashes=True)
        assert seen <= {201, 204, 507, 409, 422}
        assert 507 in seen or faults.count < at
        if not registry.list():
            registry.register("m", "m")  # renamed, not entered: as after a kill there
        assert registry.get("m").manifest_sha256 == sender.promise

    play(tmp_path, scene)


def test_no_room_is_told_before_a_byte_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(sender: Sender, lab: Lab, registry: Registry) -> None:
        monkeypatch.setattr(disk, "free_bytes", lambda path: 10)
        refused(await sender.create("manifest.json"), 507, "disk_full")

    play(tmp_path, scene)


def test_bytes_beyond_the_recorded_offset_are_cut_off(tmp_path: Path) -> None:
    """As a kill between the write and its record leaves them."""

    async def first(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        await sender.create("config.json")
        await sender.patch("config.json", sender.data("config.json")[:100])
        with open(lab.node_upload_files("m") / "config.json", "ab") as out:
            out.write(os.urandom(5000))

    async def second(sender: Sender, lab: Lab, registry: Registry) -> None:
        assert (await sender.head("config.json")).headers["Upload-Offset"] == "100"
        told = await sender.patch("config.json", sender.data("config.json")[100:], 100)
        assert told.status_code == 204
        await sender.send(*sender.names[2:])
        assert registry.list()

    play(tmp_path, first)
    (tmp_path / "model").rename(tmp_path / "gone")
    play(tmp_path, second)


def test_what_a_kill_cut_off_in_a_write_is_swept_at_the_next_start(tmp_path: Path) -> None:
    async def first(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send("manifest.json")
        for folder in (lab.node_upload("m"), lab.node_upload_files("m")):
            (folder / f"{disk.TEMP_PREFIX}5317-tokenizer.json").write_bytes(b"")

    async def second(sender: Sender, lab: Lab, registry: Registry) -> None:
        await sender.send(*sender.names[1:])
        assert registry.get("m").manifest_sha256 == sender.promise
        assert not list(lab.node_uploads.iterdir())

    play(tmp_path, first)
    (tmp_path / "model").rename(tmp_path / "gone")
    play(tmp_path, second)
