"""Mutants of the model that no sentence objects to, and why that is right. A human reads this list, so it is short.

A mutant that survives and is not here is a failure of the proofs: a sentence is missing. An argument for a mutant that
does not survive is a failure, too: it would say something about code that is no longer there.
"""

from typing import Final

ARGUMENTS: Final[dict[tuple[str, str], str]] = {}
"""By function and changed statement: why the mutant decides the same, or is merely stricter."""
