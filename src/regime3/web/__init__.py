"""Web: the live page of a lab, read-only, fed by the status file and the history.

`app.create_app` is the Starlette app, `server.serve` runs it, `guard` stands before every route.
Nothing here imports torch, writes into the lab (its own address excepted) or acts on training.
"""

from regime3.web.app import create_app
from regime3.web.server import serve

__all__ = ["create_app", "serve"]
