"""The command line `r3`: thin. Each verb is a few lines that call a room and print.

Every verb takes `--json` (one JSON object on standard output, nothing else there) and `--help`.
Exit codes: 0 done; 1 refused or findings; 2 wrong usage; 3 settings or lab; 4 already running;
5 disk full; 6 FATAL; 7 something optional is missing.
"""

from __future__ import annotations

import json
import sys

from regime3.errors import Regime3Error


def main() -> None:
    """Entry of the console script and of `python -m regime3`."""
    from regime3.cli.app import app

    try:
        app()
    except Regime3Error as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": error.message, "next": error.next_command}))
        print(f"r3: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"r3: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
