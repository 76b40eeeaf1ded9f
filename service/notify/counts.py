"""What a notifier counts, as plain integers."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Since the process was started."""

    messages: int = 0
    """Taken."""
    purchases: int = 0
    """Of which they told."""
    attempts: Counter[str] = field(default_factory=Counter)
    """`taken` or `failed`."""
    given_up: int = 0
    planned: int = 0
    """Messages that were put into an outbox."""
