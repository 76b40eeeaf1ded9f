"""What ops can see of the running system: counts that several processes share, metrics from them, alerts that are sent.

Rooms that count keep plain integers; nothing here is called for each request. Next: `histogram.py`, `shared.py`,
`port.py`; what is counted is said where it happens: `service/gateway/metrics.py`, `service/arbiter/metrics.py`.
"""
