"""Parts of the supervisor: worker process, control requests, admission thread, housekeeping.

Torch-free. `regime3.daemon` puts them in order; nothing here knows the order of things.
"""
