"""The Regime 3 language: one body of reasoning, three spellings, checked step by step.

    problem      what may be asked, and bodies of steps that answer it (terms, typing, canon)
    check        whether every step and the answer are right (replay)
    pack         a body as codes of the codebook, and back (codes, codebook, macros, unpack)
    english      a body as sentences or equations, and back
    masks        which codes may come next
    fingerprint  the identity of a problem up to renaming and the laws
    traces       problems with their bodies as they come through files and pipes

It imports neither torch nor the task families: a judge that knows neither model nor generator.
The specification is `SPEC.md`, beside this file; `docs/language.md` is the tour.
"""
