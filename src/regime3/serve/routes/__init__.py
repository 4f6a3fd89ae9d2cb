"""The node's routes, a file for each concern; `app` gathers them."""
