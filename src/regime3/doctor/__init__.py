"""`r3 doctor`: is this machine, and this lab, fit to train? Findings, each with its fix."""

from regime3.doctor.findings import Finding, examine

__all__ = ["Finding", "examine"]
