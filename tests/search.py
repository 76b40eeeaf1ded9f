"""How long tests search. By default as long as a change may wait for them; `FIRSTCOME_EXAMPLES=10 make test` searches
ten times as long, for a night or a release. The examples of a short search are the first of a long one.
"""

import os
from typing import Final

TIMES: Final = float(os.environ.get("FIRSTCOME_EXAMPLES", "1"))


def many(examples: int) -> int:
    """So many examples, or so many times as many as are asked for; at least one."""
    return max(1, round(examples * TIMES))
