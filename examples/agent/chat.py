#!/usr/bin/env python3
"""Talk to an agent of Hearth from Python, with nothing but its standard library.

    chat.py [--agent NAME] [--session ID] [MESSAGE...]

    HEARTH_API_URL (http://127.0.0.1:3890/v1), HEARTH_API_KEY

Without MESSAGE each line of the input is one. Text goes to the output as the agent says it; its tools and, at the
end, the session's id to stderr. With --session a conversation goes on, also days later.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request

URL = os.environ.get("HEARTH_API_URL", "http://127.0.0.1:3890/v1")
KEY = os.environ.get("HEARTH_API_KEY", "none")
SILENCE_S = 60  # a stream that lives says ": ping" every 15 seconds


def post(path, body):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    try:
        return urllib.request.urlopen(request, timeout=SILENCE_S)
    except urllib.error.HTTPError as error:
        with error:
            reason = json.loads(error.read())["error"]
        sys.exit(f"{error.code} {reason['code']}: {reason['message']}")


def read_frames(response):
    """Server-sent events: the data of each, as JSON, until [DONE]. A line that begins with a colon is a comment."""
    data = []
    for line in response:
        line = line.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            if text == "[DONE]":
                return
            yield json.loads(text)
    sys.exit("the stream broke off: the run goes on, its session tells how it ended")


def show_tool(call):
    if call["state"] == "calling":
        print(f"> {call['name']} {json.dumps(call['arguments'])}", file=sys.stderr)
    elif call["state"] in ("completed", "error"):
        print(f"  {call['state']}: {call['result'].splitlines()[0] if call['result'] else ''}", file=sys.stderr)


def show(frame):
    for choice in frame["choices"]:
        print(choice["delta"].get("content", ""), end="", flush=True)
        if "tool_call" in choice:
            show_tool(choice["tool_call"])
        if "error" in choice:
            sys.exit(choice["error"]["message"])


def chat(message, agent, session):
    """One turn. Returns the session's id, with which the next one goes on."""
    body = {"model": agent, "stream": True, "messages": [{"role": "user", "content": message}]}
    if session:
        body["sessionId"] = session
    with post("/chat/completions", body) as response:
        session = response.headers["x-session-id"]
        for frame in read_frames(response):
            show(frame)
    print()
    return session


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default="coder")
    parser.add_argument("--session")
    parser.add_argument("message", nargs="*")
    options = parser.parse_args()
    session = options.session
    messages = [" ".join(options.message)] if options.message else (line.strip() for line in sys.stdin)
    for message in filter(None, messages):
        session = chat(message, options.agent, session)
        print(f"session {session}", file=sys.stderr)


if __name__ == "__main__":
    main()
