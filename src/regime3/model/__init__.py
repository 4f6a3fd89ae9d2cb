"""The model as text and tokens: chat rendering, loading, importing and the nano model.

`chat` is the inference boundary: training and the node both ask it for prompts. Only `load`,
`importing` and `nano` touch torch, and none of them trains or generates.
"""
