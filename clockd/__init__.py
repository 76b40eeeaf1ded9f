"""The clock daemon: an offset and a bound for this host's clock that are true, or none at all.

The rooms: `host` (this machine's clocks, real or simulated), `ntp/` (one exchange with one server), `tracking` (from
exchanges to an interval and a state, pure), `local` (a stated reference in place of servers), `page` (the
shared-memory bytes), `reader` (what a program on this host asks), `daemon` (the loop), `server` (NTP for others),
`command` (the command line). What is decided is decided in `model/clock.py`.
"""
