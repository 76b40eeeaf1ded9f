"""Notifications: every outcome of a sale, posted to whoever subscribed, in order, each at least once.

A *notifier* is a process of its own beside the arbiter. It reads the arbiter's store only, and nothing waits for it:
a receiver that is slow, down or hostile costs buyers and the arbiter nothing.

    decision log ─┐                       outbox of the sale            lane of each webhook
    logs copied ──┴▶ planning.py: what ─▶ outbox.py: which message ─▶ lanes.py: one after the other,
                     is known for good    has which number, for good   until taken, or given up
                                                                          └▶ sending.py ─▶ addresses.py

Next: `webhooks.py`, what a subscription is; `planning.py`, what is told and in which order.
"""
