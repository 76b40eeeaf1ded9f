"""The arbiter: reads the regions' logs, folds them through the model, writes the decision log, tells the regions.

`process` (start, loop, end) holds a `link` for each region and a `run` for each sale; `ledger` is the decision log in
the arbiter's own store, under its fence; `proposals` turns what gateways ask for into sales, `publishing` answers them.
A link sends rounds over its `pipe` at a `pace`: what the region is told is `telling`, what its logs say is `reading`.
`arbiter` is what the parts know of the whole.
"""
