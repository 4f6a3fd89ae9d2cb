"""Plain English: one careful sentence a step. What a model learns first, and the honest baseline.

    Multiply both sides by 4: x + 1 = 12.
    Take 1 from both sides: x = 11.
    The answer is 11.

In entails and follows each step begins with the number of its line, since others refer to it.
"""

from __future__ import annotations

from typing import Final

from regime3.lang.english.sentences import English

ENGLISH: Final = English("plain", numbered=True)

show = ENGLISH.show
read = ENGLISH.read
