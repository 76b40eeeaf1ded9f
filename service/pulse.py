"""The arbiter's heartbeat, as it travels to every region: its clock, who waits, and how far it has read.

Gateways raise their marks every few milliseconds only while a pulse says that somebody waits, stamp each request with
the last pulse heard before it, and a gateway without a clock of its own lets the arbiter's stand in.
"""

import msgspec


class Pulse(msgspec.Struct, frozen=True):
    """One heartbeat.

    `waiting` are the sales in which somebody in any region waits for a decision; `counted` says, for the region that
    gets this pulse, how far the arbiter has read each of them.
    """

    token: int
    earliest_ns: int
    latest_ns: int
    waiting: list[str]
    counted: dict[str, int]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Pulse).decode
