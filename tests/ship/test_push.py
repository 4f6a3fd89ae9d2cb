"""Both ends over a real socket: tuspy, pushes that are cut, a server that is killed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import socket
import threading
from pathlib import Path

import httpx
import pytest

from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.ship import push as pushing
from regime3.ship.export import export_folder
from regime3.ship.push import Node, push, send_folder
from tests.registry.folders import a_folder
from tests.ship.kills import kills
from tests.ship.node import a_free_port, running
from tests.ship.test_export import a_seal


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.node_models.mkdir(parents=True)
    return lab


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # tuspy leaves files to the collector
def test_tuspy_sends_a_model_in_pieces_and_resumes(lab: Lab, tmp_path: Path) -> None:
    client = pytest.importorskip("tusclient.client")
    folder = tmp_path / "export"
    manifest = export_folder(a_folder(tmp_path / "m", extra_bytes=1 << 20), folder, None)
    promise = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    with running(lab) as url:
        tus = client.TusClient(f"{url}/models/uploads")
        for name in ["manifest.json", *manifest.files]:
            words = {"model": "m", "file": name, "manifest": promise}
            path = str(folder / name)
            uploader = tus.uploader(path, metadata=words, chunk_size=100_000)
            uploader.upload_chunk()
            if uploader.offset < uploader.get_file_size():
                again = tus.uploader(path, metadata=words, chunk_size=100_000, url=uploader.url)
                assert again.offset == uploader.offset == 100_000
                again.upload()
        with Node(url) as node:
            known = node.model("m")
    assert known is not None and known["manifest_sha256"] == promise


def test_a_checkpoint_is_pushed_activated_and_pushed_again_for_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    trainer, seal = a_seal(tmp_path)
    with running(lab) as url, Node(url) as node:
        first = push(trainer, seal, node, activate=True)
        again = push(trainer, seal, node, activate=True)
        known = node.model(first.id)
    assert again.sent_bytes == 0 < first.sent_bytes
    assert known is not None and known["origin"]["seal"] == seal.number
    assert known["state"] == "active" and known["aliases"] == ["champion"]


def test_another_model_of_the_same_id_is_refused(lab: Lab, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        export_folder(a_folder(tmp_path / f"source-{name}", seed), tmp_path / name, None)
    with running(lab) as url, Node(url) as node:
        send_folder(tmp_path / "a", "m", node)
        with pytest.raises(NodeRefused) as refused:
            send_folder(tmp_path / "b", "m", node)
    assert refused.value.code == "model_exists"


class CutLink(threading.Thread):
    """Passes connections on, each one for so many bytes only, then drops it."""

    def __init__(self, port: int, cut_bytes: list[int]) -> None:
        super().__init__(daemon=True)
        self.port, self.cuts = port, iter([*cut_bytes, *itertools.repeat(1 << 40, 999)])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.dropped = 0

    def run(self) -> None:
        while True:
            try:
                ours, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(ours,), daemon=True).start()

    def _pass_on(self, ours: socket.socket) -> None:
        theirs = socket.create_connection(("127.0.0.1", self.port))
        left = next(self.cuts)
        back = threading.Thread(target=self._back, args=(theirs, ours), daemon=True)
        back.start()
        while left > 0 and (block := ours.recv(min(65536, left))):
            theirs.sendall(block)
            left -= len(block)
        self.dropped += left <= 0
        for end in (ours, theirs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _back(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)


def test_a_push_goes_on_where_the_link_was_cut(lab: Lab, tmp_path: Path) -> None:
    export_folder(a_folder(tmp_path / "m", extra_bytes=24 << 20), tmp_path / "out", None)
    with running(lab) as url:
        link = CutLink(int(url.rpartition(":")[2]), [100, 5000, 6 << 20, 3 << 20, 1 << 20])
        link.start()
        with Node(link.url) as node:
            pushed = send_folder(tmp_path / "out", "m", node)
        link.listener.close()
    assert link.dropped >= 3
    assert pushed.sent_bytes < 2 * pushed.size_bytes  # sent counts what socket buffers swallowed


def test_a_node_that_stays_away_is_told_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PAUSE_S", 0.01)
    export_folder(a_folder(tmp_path / "m"), tmp_path / "out", None)
    with Node(f"http://127.0.0.1:{a_free_port()}") as node, pytest.raises(Unavailable):
        send_folder(tmp_path / "out", "m", node, patience_s=0.2)


def test_a_refusal_is_told_at_once() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = {"error": {"message": "no", "type": "t", "param": None, "code": "invalid_token"}}
        return httpx.Response(401, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://node")
    with Node("http://node", "wrong", http) as node, pytest.raises(NodeRefused) as refused:
        node.model("m")
    assert (refused.value.status, refused.value.code) == (401, "invalid_token")


def test_a_node_killed_at_random_moments_ends_with_whole_models_only(tmp_path: Path) -> None:
    done, pushed = kills(tmp_path, 20, until_s=90)
    assert done == 20 and pushed
