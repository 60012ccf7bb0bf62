"""The sealed hospital: a game whose seed hides what differs at a new hospital. Page: detective; for a class: teaching.

`open_case` draws a case, its `Case` sells evidence for points, and ``commit`` scores what was concluded. The page of
the book draws, sells and scores the same, in JavaScript; tests/explorer/test_detective.py compares the two.
"""

from .cases import CAUSES as CAUSES
from .cases import REMEDIES as REMEDIES
from .play import Case as Case
from .play import open_case as open_case
