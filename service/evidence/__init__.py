"""Evidence: what makes a finished sale checkable by strangers, and a dropped acknowledgement provable.

A *notary* (`firstcome notary`) runs beside the gateways of each region and beside the arbiter, as a process of its own,
so that nothing here costs the purchase path anything and no gateway and no arbiter ever holds a private key. It alone
signs. `signing` is the key file; `logs` follows logs in a store and says how they stand; `region` signs a region's logs
and hands in its hosts' clock journals (`journals`); `arbiter` signs decision logs, collects what the regions have
signed, and seals a sale that is over. `bundle` says which files a sale is made of, `seal` fixes and signs them,
`receipts` puts together what one buyer can prove.

The formats are in docs/bundle.md; the pure parts of them in `model/merkle.py` and `model/note.py`.
"""
