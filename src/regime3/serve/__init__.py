"""The node's HTTP side: FastAPI over a link to the engine process. Never imports torch."""
