"""Checkpoints: seal, verify, roll back, retain, snapshot. Torch-free; see `vault.Vault`."""

from regime3.vault.retention import Plan
from regime3.vault.rollback import RollbackStory, SetBack
from regime3.vault.vault import RollbackOutcome, Vault

__all__ = ["Plan", "RollbackOutcome", "RollbackStory", "SetBack", "Vault"]
