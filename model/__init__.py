"""The law of Firstcome: who comes first, as far as clocks can tell.

Everything that is *decided* is decided here, and only here: pure functions of integers and strings. No clock, no
I/O, no randomness, no floats, nothing but the standard library. The service runs these functions, the proofs read
these functions as solver terms, the audit replays with these functions.

Read in this order: `vocabulary` (the nouns), `guards` (every comparison that decides anything), `clock` (what a
clock reading is worth), `lottery` (the rule), `terms`, `arbiter` (logs to decisions), `outcomes` (decisions to what
each buyer is told), `wire` (records as lines), `invariants` (the promises as functions); `merkle` and `note` (the
public formats of signed logs); `why` (what a draw was like).
"""
