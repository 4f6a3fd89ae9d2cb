"""Regime 1: bodies as English, and exact parsers back.

    plain         one careful sentence a step
    terse         one equation a step, as short as it can be read back
    results_only  each step's result in terse notation; nobody reads it back
    terms         single terms of any type, in either notation

For every typed body, right or wrong, `read(problem, show(problem, body)) == body`. The sentences
are data: `templates.txt`, which is outside the signature's hash. The rest is `templates` (the file
as a tree of alternatives), `sentences` (bodies), and a module for each sort of term: `numbers`,
`linear`, `logic`, `expressions`. Nothing here judges a step or writes prompts.
"""
