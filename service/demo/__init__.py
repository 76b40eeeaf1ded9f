"""The demo: ten pairs of shoes, three regions with skewed clocks, some thousand buyers, and what came of it.

`story` runs the sale in a local world, `view` shows it live, `figures` says what happened against what was true.
"""
