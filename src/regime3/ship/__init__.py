"""Checkpoints on their way to the node: export, push, and the node's resumable uploads.

`narrow` converts weights, `export` says what is shipped of a checkpoint, `push` sends it,
`uploads` receives, `tus` speaks the protocol.
Nothing here imports torch; nothing here decides what is served.
"""
