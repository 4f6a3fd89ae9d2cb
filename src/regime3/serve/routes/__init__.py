"""Routers of the node, one file a subject; the app mounts them behind its guard."""
