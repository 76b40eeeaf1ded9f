"""Proofs and audit: what holds in every sale, and whether one sale kept it.

`prove.py` proves the sentences of `order.py`, `admission.py`, `induction.py` and `promises.py` by two solvers;
`audit.py` checks a bundle. What must be read to believe either: `README.md`. Imported by the command line only.
"""
