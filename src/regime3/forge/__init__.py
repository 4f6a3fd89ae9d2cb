"""Forge: the lab makes its own rows. Never imports torch.

    forge = Forge(lab, settings, client, clock)
    wait_s = forge.turn()          # one piece of work; call again after so many seconds
    view(lab)                      # what it knows, as a plain dict

`plan` chooses problems by what `estimate` knows of pass rates, a node attempts them, `attempts`
judges every attempt anew, `rows` makes chat rows of what is right, `diversity` watches for
collapse, `forge` does it all in an order that a kill cannot break, `state` is what it keeps.

What it does not do: judge checkpoints, train, or believe anybody's verdict.
"""

from regime3.forge.forge import Forge
from regime3.forge.view import view

__all__ = ["Forge", "view"]
