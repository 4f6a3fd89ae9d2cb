"""regime3: a self-hosted lab for a small language model that teaches itself to reason."""

__version__ = "0.1.0"
