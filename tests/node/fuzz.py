"""`python -m tests.node.fuzz --calls 20000`: schemathesis over a real node's own schema.

Every call is generated from what the node says of itself, right and wrong ones alike. No answer
may be a 5xx but those that are documented (`/ready` without a model), and each must look as the
schema says. Prints what was called how often, and what failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.node.nodes import make_lab, running_node

CHECKS = (
    "not_a_server_error,status_code_conformance"
    ",content_type_conformance,response_schema_conformance"
)


def fuzz(
    url: str, examples: int, seed: int, report: Path, phases: str = "examples,coverage,fuzzing"
) -> tuple[int, str]:
    """Exit code and output of schemathesis, `examples` an operation."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--checks", CHECKS, "--max-examples", str(examples), "--seed", str(seed)),
        *("--phases", phases, "--mode", "all"),
        *("--request-timeout", "60", "--report", "ndjson", "--report-dir", str(report)),
        "--generation-database=none",
        "--suppress-health-check=all",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.node.fuzz_hooks"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    """Fuzz until so many calls were made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="an operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="fake")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = make_lab(Path(folder) / "lab")
        with running_node(lab, engine=given.engine) as node:
            code, said = fuzz(node.url, given.examples, given.seed, Path(folder) / "report")
            print(said)
            print(node.log.read_text()[-4000:])
            alive = node.process.poll() is None
            print(json.dumps({"exit": code, "node_alive": alive}))
    raise SystemExit(code or not alive)


if __name__ == "__main__":
    main()
