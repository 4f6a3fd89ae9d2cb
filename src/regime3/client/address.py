"""Where the node of a lab answers."""

from __future__ import annotations

import json

from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab


def node_address(lab: Lab, settings: Settings) -> tuple[str, str]:
    """Address and token of the node that the loop works with. Raises `Unavailable`."""
    if settings.loop.node:
        return settings.loop.node, settings.loop.token
    try:
        found = json.loads(lab.node_address_file.read_text(encoding="utf-8"))
        return str(found["url"]), settings.loop.token
    except (OSError, ValueError, KeyError, TypeError):
        raise Unavailable("this lab's node does not run", "r3 node") from None
