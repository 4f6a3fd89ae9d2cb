"""Lineage, end to end: from a served answer to checkpoint, shards, rows, problems, and back.

    trace(lab, settings, "checkpoint-00000012-5f0c…")   # what answered, as `system_fingerprint`
    trace(lab, settings, "12")                          # a checkpoint
    trace(lab, settings, "forge-000003:17")             # line 17 of an admitted file

It reads what other rooms have written, and writes nothing.
"""

from regime3.lineage.trace import trace

__all__ = ["trace"]
