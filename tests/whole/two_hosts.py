"""`python -m tests.whole.two_hosts`: the loop between two hosts whose link is cut again and again.

As `tests.node.two_hosts`, two network namespaces stand for two machines (Linux, root, `ip`, `tc`).
One runs a node, the other `r3 up` with `loop.node`: trainer, forge and judge. The link is cut while
checkpoints are shipped, jobs wait and answers are fetched. In the end shards and verdicts have gone
on, none is doubled, and every row that came over the link was proved. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from regime3 import config
from regime3.clock import SystemClock
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.records.files import is_forged
from regime3.spool import Spool
from regime3.vault import Vault
from tests.node.nodes import make_lab
from tests.node.two_hosts import NODE, NODE_IP, PORT, TRAINER, r3, sh, two_hosts, until_ready
from tests.whole.test_up import LOOP, lines_of

CUTS, FLOW_S, CUT_S = 5, 25.0, 8.0
SHARDS, VERDICTS = 4, 3
RUN_S_MAX = 600.0


def run(root: Path) -> dict[str, Any]:
    """Raises AssertionError where it does not end well."""
    here, there = make_lab(root / "node"), Lab(root / "trainer")
    r3_here = [sys.executable, "-m", "regime3"]
    made = [*r3_here, "token", "create", "admin", "--json", "--lab", str(here.root)]
    token = json.loads(subprocess.check_output(made))["token"]
    sh(*r3_here, "init", str(there.root), "--nano")
    url = f"http://{NODE_IP}:{PORT}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "REGIME3_LOOP_TOKEN": token}
    node_flags = {"node.host": NODE_IP, "node.port": PORT, "node.slots": 64, "node.device": "cpu"}
    node = _start(NODE, "node", here, node_flags, environment)
    up = None
    try:
        until_ready(url, token)
        began = time.monotonic()
        flags = {**LOOP, "loop.node": url, "web.port": 0}
        up = _start(TRAINER, "up", there, flags, environment)
        for _ in range(CUTS):
            time.sleep(FLOW_S)
            sh("ip", "-n", TRAINER, "link", "set", "r3b", "down")
            time.sleep(CUT_S)
            sh("ip", "-n", TRAINER, "link", "set", "r3b", "up")
            assert up.poll() is None, "r3 up ended"
        at_last_cut = len(_attempted(there)), len(ledger.verdicts(there))
        while not _enough(there, at_last_cut):
            assert up.poll() is None and time.monotonic() - began < RUN_S_MAX, at_last_cut
            time.sleep(0.5)
        took_s = time.monotonic() - began
    finally:
        for process in (up, node):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
    return {"cuts": CUTS, "seconds": round(took_s, 1), **_checked(there)}


def _start(
    host: str, role: str, lab: Lab, flags: dict[str, Any], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    words = [word for key, value in flags.items() for word in ("--set", f"{key}={value}")]
    with open(lab.root / f"{role}.out", "ab") as log:
        command = r3(host, role, "--lab", str(lab.root), *words)
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _attempted(lab: Lab) -> list[dict[str, Any]]:
    """Shards that have attempts of the model across the link."""
    if not lab.forge_shards_file.exists():
        return []
    return [each for each in lines_of(lab.forge_shards_file) if each["levels"]]


def _enough(lab: Lab, before: tuple[int, int]) -> bool:
    """Both halves have gone on after the last cut."""
    shards, verdicts = len(_attempted(lab)), len(ledger.verdicts(lab))
    return shards >= max(SHARDS, before[0] + 1) and verdicts >= max(VERDICTS, before[1] + 1)


def _checked(lab: Lab) -> dict[str, Any]:
    """What the lab's own files say."""
    shards = lines_of(lab.forge_shards_file)
    numbers = [each["shard"] for each in shards]
    assert numbers == sorted(set(numbers)), "a shard is doubled"
    files = Spool(lab, config.load(lab.settings_file).settings, SystemClock()).files()
    forged = [meta for meta in files.values() if is_forged(meta.lineage)]
    assert sum(meta.buried for meta in forged) == 0, "a row came that does not hold"
    verdicts = ledger.verdicts(lab)
    asked = [each.problems for each in verdicts if each.problems]
    assert all(a[1] < b[0] for a, b in pairwise(asked)), "asked twice"
    return {
        "shards": len(shards),
        "shards_with_attempts": len(_attempted(lab)),
        "attempts": sum(
            level["attempts"] for each in shards for level in each["levels"].values()
        ),
        "rows_admitted": sum(meta.rows for meta in forged),
        "rows_buried": 0,
        "verdicts": [each.word for each in verdicts],
        "step": Vault(lab, SystemClock()).head().manifest.step,
    }  # fmt: skip


def main() -> None:
    """Run it in a temp folder."""
    with tempfile.TemporaryDirectory() as folder, two_hosts():
        print(json.dumps(run(Path(folder))))


if __name__ == "__main__":
    main()
