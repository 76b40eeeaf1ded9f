"""What the holder of a reserved unit says, as a line of a region's log: it is wanted, or given back. Pure.

    {"bound_ns":"9000","clock":"h/7","heard_ns":"0","purchase":"eu.a","seq":8,"stamp_ns":"1790000000000000000",
     "type":"confirm"}

Like an entry it is written in two halves around its number; reading is as strict as everywhere (`wire.py`).
"""

import re
from typing import Final, cast

from model.vocabulary import ID_FORM, Entry, Reply, ReplyKind, RequestId
from model.wire import parse_log_line

_REPLY: Final = re.compile(
    r'\{"bound_ns":"(0|[1-9][0-9]{0,17})","clock":"('
    + ID_FORM
    + r'/(?:0|[1-9][0-9]{0,15}))","heard_ns":"(0|[1-9][0-9]{0,18})","purchase":"('
    + ID_FORM
    + r')","seq":([1-9][0-9]{0,14}),"stamp_ns":"(0|[1-9][0-9]{0,18})","type":"(confirm|release)"\}'
)


def reply_line_halves(
    says: ReplyKind, purchase: RequestId, stamp_ns: int, bound_ns: int, clock: str, heard_ns: int
) -> tuple[str, str]:
    """A reply's line up to its number, and from after it. The number stands between as a decimal integer."""
    return (
        f'{{"bound_ns":"{bound_ns}","clock":"{clock}","heard_ns":"{heard_ns}","purchase":"{purchase}","seq":',
        f',"stamp_ns":"{stamp_ns}","type":"{says}"}}',
    )


def reply_line(reply: Reply) -> bytes:
    """A reply as the line of its region's log."""
    before, after = reply_line_halves(
        reply.says, reply.purchase, reply.stamp_ns, reply.bound_ns, reply.clock, reply.heard_ns
    )
    return f"{before}{reply.seq}{after}".encode()


def parse_line(line: bytes) -> Entry | Reply:
    """The record of a line of a reservation's log.

    Raises:
        ValueError: the line is neither a canonical `request` nor a canonical reply.
    """
    if b'"type":"request"' in line:
        return parse_log_line(line)
    try:
        found = _REPLY.fullmatch(line.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise ValueError("neither a canonical request record nor a reply")
    bound_ns, clock, heard_ns, purchase, seq, stamp_ns, says = found.groups()
    return Reply(int(seq), cast("ReplyKind", says), purchase, int(stamp_ns), int(bound_ns), clock, int(heard_ns))
