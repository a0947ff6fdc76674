#!/usr/bin/env python3
"""The main job: a real project unpacked, built, tested and changed in a sandbox, by tool calls.

    main_job.py DIR SOURCE      DIR as in: hearth up --dir DIR --image base --pool 2
                                SOURCE: the .orig.tar of a Debian source package, the rest beside it

This file is all that a client of agentd needs. The calls themselves stand in main_job.json, a list
for each sandbox, as a model would make them: [title, tool, arguments].
"""

import base64
import glob
import json
import os
import socket
import sys
import time

with open(os.path.splitext(__file__)[0] + ".json") as job:
    sandboxes = json.load(job)
files = {name: open(name, "rb").read() for name in glob.glob(sys.argv[2].split(".orig")[0] + "*")}
os.chdir(sys.argv[1])  # the address of a Unix socket is short
agentd = socket.socket(socket.AF_UNIX)
agentd.connect("agentd.sock")
lines = agentd.makefile()
table = []


def call(title, method, **params):
    start = time.monotonic()
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    agentd.sendall(json.dumps(request).encode() + b"\n")
    while "id" not in (answer := json.loads(lines.readline())):
        print(answer["params"].get("data", ""), end="")  # what a command writes, as it comes
    result = answer.get("result") or {"content": ""}
    if "error" in answer or result.get("is_error") or result.get("receipt", {}).get("exit_code"):
        sys.exit(f"{title}: {answer.get('error') or result['content']}")
    table.append((title, (time.monotonic() - start) * 1000, result.get("content", "")))
    return result


for steps in sandboxes:
    lease = call("acquire", "sandbox.acquire", template="base")
    handle = {"id": lease["id"], "epoch": lease["epoch"]}
    for name, data in files.items() if steps is sandboxes[0] else ():
        call("upload " + os.path.basename(name), "sandbox.exec", **handle,
             command="base64 -d >" + os.path.basename(name), stdin=base64.b64encode(data).decode())
    for title, tool, arguments in steps:
        call(title, "tool.call", **handle, name=tool, arguments=arguments, stream=True)
    call("release", "sandbox.release", **handle)
for title, milliseconds, content in table:
    print(f"{title:44}{milliseconds:10.1f} ms  {(content.splitlines() or [''])[-1][:50]}")
