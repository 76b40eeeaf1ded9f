"""The arbiter: reads the regions' logs, folds them through the model, writes the decision log, tells the regions.

`process` (start, loop, end) holds a `link` for each region and a `run` for each sale; `ledger` is the decision log in
the arbiter's own store, under its fence; `proposals` turns what gateways ask for into sales.
"""
