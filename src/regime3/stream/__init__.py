"""The stream: admitted rows in their one order, cut into windows, with a cursor that resumes.

It reads by id what the spool has admitted and hands whole optimizer windows to the trainer. It
writes nothing and decides nothing about files: the worker commits the cursor, the vault seals it.
"""
