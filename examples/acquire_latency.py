#!/usr/bin/env python3
"""How long an acquire takes, seen by a client of agentd: from the warm pool, and built on demand.

acquire_latency.py [DIR]: takes sandboxes faster than the pool refills, until some had to be built.
"""

import json
import os
import socket
import statistics
import sys
import time

ROUNDS = 20


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HEARTH_DIR", "/run/hearth")
    link = socket.socket(socket.AF_UNIX)
    os.chdir(directory)  # the path of a Unix socket is short
    link.connect("agentd.sock")
    lines = link.makefile("rwb", buffering=0)
    last_id = 0

    def call(method, **params):
        nonlocal last_id
        last_id += 1
        request = {"jsonrpc": "2.0", "id": last_id, "method": method, "params": params}
        lines.write(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(lines.readline())
            if answer.get("id") == last_id:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']['message']}")
                return answer["result"]

    pool = call("pool.status")["pools"][0]
    took_ms = {}
    for _ in range(ROUNDS):
        held = []
        for _ in range(pool["min"] + 2):
            started = time.monotonic()
            held.append(call("sandbox.acquire", on_empty="build"))
            took_ms.setdefault(held[-1]["rung"], []).append((time.monotonic() - started) * 1000)
        for sandbox in held:
            call("sandbox.release", id=sandbox["id"], epoch=sandbox["epoch"])
        while call("pool.status")["pools"][0]["ready"] < pool["min"]:
            time.sleep(0.005)
    for rung, name in (("ready", "warm"), ("built", "built"), ("waited", "waited for a refill")):
        if samples := took_ms.get(rung):
            print(f"acquire through agentd, {name}: {statistics.median(samples):.3f} ms "
                  f"(median of {len(samples)})")
    built_us = call("pool.status")["pools"][0]["build_p50_us"]
    print(f"building one sandbox: {built_us / 1000:.3f} ms (median since the start)")


main()
