"""Makes `docs/api.md` from what a gateway says of itself: every call, every object, every type of problem.

Run: python -m tests.docs.api_page docs/api.md
"""

import json
import sys
import urllib.request
from pathlib import Path

from service.gateway.reference import markdown
from service.world.world import RegionPlan, World, WorldPlan

if __name__ == "__main__":
    with World(WorldPlan(regions=(RegionPlan("here"),))) as world:
        url = f"http://127.0.0.1:{world.ports['here']}/openapi.json"
        with urllib.request.urlopen(url) as answer:
            Path(sys.argv[1]).write_text(markdown(json.load(answer)))
