"""`python -m tests.web.screenshots FOLDER [LAB]`: pictures of the pages.

Without LAB the live page over a made-up busy day, an empty lab and a fatal one; with LAB every page
of that lab as it is, dark, light and on a phone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from regime3.paths import Lab
from regime3.web.pages import DOORS
from tests.web.conftest import launched, serving
from tests.web.labs import busy_day

VIEWS = (("dark", 1440), ("light", 1440), ("dark", 360))


def take(
    lab: Lab,
    folder: Path,
    name: str,
    views: tuple[tuple[str, int], ...] = VIEWS,
    door: str = "live",
) -> None:
    """One picture of the whole page for each theme and width."""
    with serving(lab) as url, launched() as browser:
        for scheme, width in views:
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,  # type: ignore[arg-type]
                reduced_motion="reduce",
                device_scale_factor=2 if width < 700 else 1,
            )
            page = context.new_page()
            page.goto(url + door)
            page.wait_for_timeout(3500)
            page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
            context.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 2:
        for door in DOORS:
            take(Lab(Path(sys.argv[2])), folder, door, door=door)
        return
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(Path(home) / "home-lab")
        lab.root.mkdir()
        day = busy_day(lab, 2400)
        take(lab, folder, "busy")
        day.board.update(
            error_message="the worker was killed by SIGKILL; 5 restarts in a row made no progress",
            state="fatal",
        )
        day.write(3 * 3600)
        take(lab, folder, "fatal", VIEWS[:1])
        empty = Lab(Path(home) / "fresh-lab")
        empty.root.mkdir()
        take(empty, folder, "empty", VIEWS[:1])


if __name__ == "__main__":
    main()
