"""Terse English: one equation a step, as short as it can be and still be read back exactly.

    *4:x+1=12
    -1:x=11
    =11

The fair competitor of codes in tokens. Only rules that would look alike bear a tag, and lines bear
no numbers.
"""

from __future__ import annotations

from typing import Final

from regime3.lang.english.sentences import English

ENGLISH: Final = English("terse", numbered=False)

show = ENGLISH.show
read = ENGLISH.read
