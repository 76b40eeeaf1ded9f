"""Every key, in one place.

A region's store holds what its gateways log and a copy of what the arbiter decided. The arbiter's store holds the
decision logs, the seeds, and what gateways propose to it. Both may live in one server. All keys of a sale share one
hash slot, `{sale}`.

Streams are numbered by their writer: entry n has the id `<n>-0`, so an append that is repeated does nothing and a
gap can be seen; a chunk of lines has the number of its last. Entry 1 of a decision log is the record with index 0.
"""

from typing import Final

LINE: Final = b"l"
"""The field of a stream entry that holds a record's line."""

BUYER: Final = b"b"
"""The field beside a `won` record's line that names the winner; "" beside every other."""

SALES: Final = "sales"
"""Stream: the terms of every sale, in a region's store."""

PULSE: Final = "pulse"
"""Stream, capped: the arbiter's heartbeats, in a region's store."""

FENCE: Final = "arbiter:fence"
"""Integer: the token of the arbiter that may append."""

ARBITER_SALES: Final = "arbiter:sales"
"""Stream: the terms of every sale, in the order of their publication."""

SEEDS: Final = "arbiter:seeds"
"""Hash: sale to its seed in hex. Secret until the sale is over."""

PROPOSALS: Final = "arbiter:proposals"
"""Stream: what gateways ask of the arbiter."""

PROPOSED: Final = "arbiter:proposed"
"""Hash: proposal id to the SHA-256 of what was proposed."""

OPENED: Final = "arbiter:opened"
"""Hash: proposal id to the sale it became."""

ANSWERS: Final = "arbiter:answers"
"""Hash: proposal id to the arbiter's answer."""

REGION_KEY: Final = "region:key"
"""The public key that a region's notary signs with, in the region's store."""

ARBITER_KEY: Final = "arbiter:key"
"""The public key that the arbiter's notary signs with, in the arbiter's store."""

REGION_KEYS: Final = "arbiter:keys"
"""Hash: region to its public key, as the arbiter's notary last saw it, in the arbiter's store."""

REGION_NOTARY: Final = "region:notary"
"""Which notary of a region is at work; expires, and hangs nothing on it but work done twice."""

ARBITER_NOTARY: Final = "arbiter:notary"
"""Which notary of the arbiter is at work; the same."""

OWNERS: Final = "arbiter:owners"
"""Hash: sale to the name of the token that published it."""

WEBHOOKS: Final = "arbiter:webhooks"
"""Hash: webhook to its record (`service/notify/webhooks.py`)."""

WEBHOOK_SECRETS: Final = "arbiter:webhooks:secrets"
"""Hash: `<webhook>/<when it was made, in ns>` to a secret. Gateways write it and need not read it."""

REPLAYS: Final = "arbiter:webhooks:replays"
"""Hash: `<webhook>/<sale>/<number>` of a dead letter to when its replay was asked for, in ns."""

NOTIFIER: Final = "arbiter:notifier"
"""Which notifier is at work; expires, and hangs nothing on it but messages sent twice."""

NOTIFIER_ALLOWANCE: Final = "arbiter:notifier:allowance"
"""`private` where the notifier also calls private addresses, so that gateways refuse no such URL; else `public`."""

PULSES_KEPT: Final = 16

LIST_FULL: Final = "list_full"
"""How a stop begins that stops purchases only."""


def log(sale: str) -> str:
    """Stream: the region's log of a sale, a chunk of lines an entry (`chunks.py`)."""
    return f"{{{sale}}}:log"


def buyers(sale: str) -> str:
    """Hash: buyer to the number of its entry; in an auction `<buyer> <price>` to that of the bid."""
    return f"{{{sale}}}:buyers"


def replies(sale: str) -> str:
    """Hash, of a reservation: purchase to the number of the line that says what its holder said of the unit."""
    return f"{{{sale}}}:replies"


def mark(sale: str) -> str:
    """The region's mark, in nanoseconds; only ever raised."""
    return f"{{{sale}}}:mark"


def stop(sale: str) -> str:
    """Why the region's log takes no more entries; absent while it does. What begins with `LIST_FULL` stops purchases
    only: what holders of reserved units say is still logged.
    """
    return f"{{{sale}}}:stop"


def stock(sale: str) -> str:
    """Hash, where units are sold at the door: `free` (the region's units left, as text), `given` (the number of its
    last grant), `asked` (how many new purchases were asked for, sold or not), `ready` ("1" once the arbiter has copied
    the first line of the log). Never set up a second time.
    """
    return f"{{{sale}}}:stock"


def grants(sale: str) -> str:
    """Hash: `<donor>/<number>` to the units that were taken of that grant; `<reason>/<donor>/<number>/<units>` to ""
    for each that was refused.
    """
    return f"{{{sale}}}:grants"


def decisions(sale: str) -> str:
    """Stream: the region's copy of the decision log."""
    return f"{{{sale}}}:decisions"


def copied_log(sale: str, region: str) -> str:
    """Stream: what the arbiter has read of a region's log, a chunk of lines an entry, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:log:{region}"


def ledger(sale: str) -> str:
    """Stream: the decision log itself, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:decisions"


def checkpoint(sale: str) -> str:
    """Hash: the newest checkpoint that a region has signed of its log, as `size` and `note`."""
    return f"{{{sale}}}:checkpoint"


def blocks(sale: str) -> str:
    """String: the Merkle roots of the log's full blocks, 32 bytes each (`model.merkle.BLOCK` lines to a block)."""
    return f"{{{sale}}}:blocks"


def decisions_checkpoint(sale: str) -> str:
    """Hash: the region's copy of the newest checkpoint of the decision log."""
    return f"{{{sale}}}:decisions:checkpoint"


def journal(sale: str, host: str) -> str:
    """Stream: the lines of a host's clock journal that belong to a sale, in its region's store."""
    return f"{{{sale}}}:journal:{host}"


def journals(sale: str) -> str:
    """Set: the hosts whose clock journals a region's store has for a sale."""
    return f"{{{sale}}}:journals"


def whys(sale: str) -> str:
    """Hash, once the sale is over: what the draw of each of the region's winners was like, by request; "" has the last
    draw of all, `key` the draw key. Of an auction besides how its bids stand (`service/evidence/whys.py`).
    """
    return f"{{{sale}}}:whys"


def ledger_checkpoint(sale: str) -> str:
    """Hash: the newest checkpoint of the decision log, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:decisions:checkpoint"


def ledger_blocks(sale: str) -> str:
    """String: the roots of the decision log's full blocks, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:decisions:blocks"


def copied_checkpoint(sale: str, region: str) -> str:
    """Hash: the newest checkpoint that the arbiter's notary has seen of a region's log."""
    return f"arbiter:{{{sale}}}:checkpoint:{region}"


def copied_beyond(sale: str, region: str) -> str:
    """Stream: what a region that was cut off has logged beyond what counts, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:beyond:{region}"


def copied_journal(sale: str, region: str, host: str) -> str:
    """Stream: the clock journal of a region's host of a sale, in the arbiter's store."""
    return f"arbiter:{{{sale}}}:journal:{region}/{host}"


def seal(sale: str) -> str:
    """The signed manifest of a sale that is over, and what its files are made of (`service/evidence/seal.py`)."""
    return f"arbiter:{{{sale}}}:seal"


def outbox(sale: str) -> str:
    """Stream: the messages of a sale to webhooks, numbered from 1, each a reference to what it tells."""
    return f"arbiter:{{{sale}}}:outbox"


def taken(webhook: str) -> str:
    """Hash: sale to the number of its last message that a webhook has taken, or that was given up."""
    return f"arbiter:webhooks:taken:{webhook}"


def dead_letters(webhook: str) -> str:
    """Hash: `<sale>/<number>` of a message that was given up to how it failed."""
    return f"arbiter:webhooks:dead:{webhook}"
