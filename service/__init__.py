"""The running system: gateways that take purchases, an arbiter that decides, stores that keep, a world to try it in.

The folders tell the road of a request: `gateway/` (stamp, intake, answers), `store/` (every key and script),
`arbiter/` (logs to decisions). `world/` runs whole systems on one machine, `command/` is the command line. What is
decided is decided in `model/`.
"""
