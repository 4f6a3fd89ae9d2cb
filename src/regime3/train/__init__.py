"""Training: windows of examples in, optimizer steps out, on HuggingFace's Trainer.

Read `trainer.py` first: it shows the order of a run. `step.py` is one optimizer step with its
replays, `loss.py` the arithmetic, `state.py` what a checkpoint holds of it. The room is driven
by the worker through `hooks.TrainHooks`.

It does not know files, queues, checkpoints' ledgers or processes.
"""
