"""Measuring models on problems that were never trained, judged by the checker.

    abilities    exact match, valid steps and tokens, per family, level and regime

It asks a model and judges; it neither trains nor promotes.
"""
