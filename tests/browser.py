"""`python -m tests.browser`: make sure that a Chromium is there for the browser tests.

It looks for the system's, then for Playwright's own; failing both it installs one, by the
system's package manager when we may, else by Playwright. It never lets the tests skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from regime3.bench.browser import find


def install() -> None:
    """Debian's package as root, else Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if not subprocess.run(
            ["apt-get", "install", "-y", "-qq", "chromium"],
            env=environment,
            stdout=subprocess.DEVNULL,
        ).returncode:
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> int:
    if find() is None:
        install()
    found = find()
    print(f"browser: {found}" if found else "no Chromium: set REGIME3_CHROMIUM to one")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
