"""Masks: which codes may come next, so that whatever is generated can be read.

    row = Constrainer(problem, book, budget=200)
    row.mask()                  # 512 booleans
    row.advance(code)

`states` names what may stand where and `automaton` adds what it costs to close; both know only the
codebook and the sort of problem. `constrainer` follows one sequence with its history and replay;
`rows` keeps masks in one table, so that a batch gathers them at once (`model.constrain` does).
Lark grammars of the static part are `lark`'s. Nothing here looks at logits or at a tokenizer.
"""

from regime3.lang.masks.constrainer import BUDGET_MAX, Constrainer
from regime3.lang.masks.rows import Rows
from regime3.lang.masks.shared import Masks, masks_of

__all__ = ["BUDGET_MAX", "Constrainer", "Masks", "Rows", "masks_of"]
