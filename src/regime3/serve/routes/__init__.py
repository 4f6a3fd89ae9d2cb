"""Routes of the node, one file a subject; each gives a router for the app to include."""
