"""Checkpoints on their way to the node: export, push, and the node's resumable uploads.

`export` makes the bf16 folder, `push` sends it, `uploads` receives, `tus` speaks the protocol.
Nothing here imports torch; nothing here decides what is served.
"""
