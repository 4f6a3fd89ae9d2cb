"""What answers are worth.

    abilities    a model asked in this process: exact match, valid steps and tokens (torch)
    measures     exact match, cross-entropy, calibration and their breakdown; arithmetic alone
    paired       two models on the same problems: an exact sign test; arithmetic alone

It asks a model and judges; it neither trains nor promotes. Only `abilities` imports torch.
"""
