"""A whole system on one machine, as real processes: what demo, tests and benchmarks run in.

Only three things are simulated: distance (`distance`, delaying proxies on loopback), the hosts' clocks (an offset and
a drift under clockd and gateways alike), and the crowd (`crowd`). Everything else is the shipped programs. `world`
starts and ends it all.
"""
