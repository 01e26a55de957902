"""Runs in the emulated Raspberry Pi: many images answered by processes, and by this one.

python3 processes.py ENGINE MODEL IMAGE...
"""

from __future__ import annotations

import json
import sys
import time

import runtime


def main(engine, model, *images):
    """Print the labels of both ways, and how many processes there were."""
    with runtime.load(model, backend=engine) as classifier:
        alone = [answer.label for answer in classifier.predict_stream(images, workers=1)]
        team = classifier.workers.processes(2)
        while not all(one.ready for one in team.workers):
            time.sleep(0.1)
        together = [answer.label for answer in classifier.predict_stream(images, workers=2)]
        count = len({one.pid for one in team.workers})
    print(json.dumps({"alone": alone, "together": together, "processes": count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
