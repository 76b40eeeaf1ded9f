"""What it costs: benchmarks that anybody can repeat, each beside its rivals in the same run.

Start with `frame.py` (how a noisy machine is kept out of the figures), then `catalogue.py` (what there is).
"""
