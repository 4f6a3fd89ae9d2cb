"""Evolution: the same problems, answered by every evaluated checkpoint, kept for ever.

    record(lab, settings, client, clock, seal, step, model)   # ask a checkpoint at the node
    sheets(lab)                                               # what all of them answered
    view(lab)                                                 # curves, firsts, regressions

    probes      which problems, and asking them
    story       what the answers come to: pure functions over sheets

It judges nothing: a verdict rests on other, fresh problems.
"""
