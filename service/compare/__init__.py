"""The comparison: the same recorded arrivals through every method of selling, and what each buys and costs.

Start with `scene.py` (what is played) and `recording.py` (who comes when). `central.py`, `doors.py` and `ordered.py`
put a recording through a method in virtual time, by the functions of `model/`; `real.py` presses such a recording on
real processes. `tally.py` counts what came of it, `simulation.py` and `sweeps.py` run all of it, and `tables.py`,
`report.py`, `plots.py` and `page.py` show it.
"""
