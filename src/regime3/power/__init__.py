"""Power: the card's limit, who sets it and when, and what a watt buys.

`card.Card` is what a card can do; `nvml` and `simulated` are the kinds, `smi` sets where NVML may
not. `before` remembers the limit that was there, `keeper` sets profiles by hand, hour and heat,
`calibrate` measures tokens per joule. Nothing here imports torch or knows HTTP.
"""

from regime3.power.card import Card, PowerLimits, Reading
from regime3.power.keeper import Keeper
from regime3.power.opening import open_cards

__all__ = ["Card", "Keeper", "PowerLimits", "Reading", "open_cards"]
