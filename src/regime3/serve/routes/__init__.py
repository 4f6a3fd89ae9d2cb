"""The node's routes, one file a subject; each gives a router for the app to guard and mount."""
