"""The node's registry of models: verify, register, alias, delete. Never imports torch."""

from regime3.registry.registry import Registry
from regime3.registry.verify import Found, verify

__all__ = ["Found", "Registry", "verify"]
