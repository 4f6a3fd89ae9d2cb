"""The forms of thought that `r3 bench regimes` compares: one body, many spellings.

Each form turns a sample's body into tokens and tokens back into a body. All share one vocabulary of
2,048: the nano tokenizer's text and 512 more, which a form may use or not.
"""
