#!/usr/bin/env python3
"""A reward program that cannot score every fourth picture or so: scores, and who gets none, come from a hash of it."""

import hashlib
import json
import pathlib
import sys

for line in sys.stdin:
    request = json.loads(line)
    digest = hashlib.sha256(pathlib.Path(request["image"]).read_bytes() if request["image"] else b"").digest()
    answer = {"error": "not scored"} if digest[0] < 64 else {"score": digest[1] / 255}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
