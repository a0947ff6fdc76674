"""An agentd that says what the test wants on agentd.sock: JSON-RPC 2.0, a line each.

As a program it stands for sbin/hearth-agentd of a prefix: it notes how it was started and serves one agent.
"""

import json
import os
import signal
import socket
import sys
import threading

from fake_socket import FakeSocket

METHOD_NOT_FOUND, INVALID_PARAMS, NOT_FOUND, TOO_LARGE = -32601, -32602, -32001, -32008
# What agentd accepts: anything else is refused, as there.
MEMBERS = {
    "chat.complete": {"agent", "messages", "sessionId", "stream"},
    "agent.list": set(), "key.list": set(), "key.create": {"name", "test"}, "key.revoke": {"id"},
    "session.list": {"agent", "limit", "offset"}, "session.get": {"id"}, "session.delete": {"id"},
    "session.messages": {"id", "from", "limit"}, "run.cancel": {"id"}, "sandbox.exec": {"id", "argv", "env", "cwd"},
}


class Fault(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Request:
    """One request; a method returns its result, or answers with these, or raises Fault."""

    def __init__(self, link, message):
        self.link, self.id, self.params = link, message["id"], message["params"]

    def send(self, **message):
        self.link.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def frame(self, delta=None, finish=None, request=None, **more):
        """One chunk; `more` of its choice, but what stands in the frame itself."""
        outer = {name: more.pop(name) for name in ("sessionId", "runId", "reason", "scripted") if name in more}
        choice = {"index": 0, "delta": {"content": delta} if delta is not None else {}, "finish_reason": finish, **more}
        self.send(method="stream.frame", params={
            "request": self.id if request is None else request,
            "data": {"object": "chat.completion.chunk", "choices": [choice], **outer}})

    def tool(self, state, name="bash", call="c1", **more):
        self.frame(tool_call={"id": call, "name": name, "state": state, **more})

    def end(self, finish="stop", session="ses-1", run="run-1", **more):
        self.frame(finish=finish, sessionId=session, runId=run, **more)


class FakeAgentd(FakeSocket):
    """methods: name -> function(request). What was asked is in `seen`, (method, params) each."""

    def __init__(self, directory=None, **methods):
        self.methods = {name.replace("_", ".", 1): method for name, method in methods.items()}
        super().__init__("agentd.sock", socket.SOCK_STREAM, directory)

    def talk(self, link):
        for line in link.makefile("rb"):
            message = json.loads(line)
            # A method that waits must not keep run.cancel waiting.
            threading.Thread(target=self._serve, args=(link, message), daemon=True).start()

    def _serve(self, link, message):
        name, request = message["method"], Request(link, message)
        self.seen.append((name, request.params))
        try:
            if name not in self.methods:
                raise Fault(METHOD_NOT_FOUND, f"there is no method {name}")
            if not set(request.params) <= MEMBERS[name]:
                raise Fault(INVALID_PARAMS, f"{name}: unknown members in {request.params}")
            request.send(id=request.id, result=self.methods[name](request) or {})
        except Fault as fault:
            request.send(id=request.id, error={"code": fault.code, "message": str(fault), "data": {}})
        except OSError:
            pass

    def params(self, name):
        return [params for method, params in self.seen if method == name]


def main():
    directory = sys.argv[sys.argv.index("--dir") + 1]
    note = {"argv": sys.argv[1:], "keys": sorted(name for name in os.environ if name.endswith("_API_KEY"))}
    with open(os.path.join(directory, "agentd.json"), "w", encoding="utf-8") as file:
        json.dump(note, file)
    agents = [{"name": "coder", "role": "x", "model": "xai/grok-4-fast"}, {"name": "\x1b[31mred", "role": "y"}]
    keys = [{"id": "key-1"}] if os.path.exists(os.path.join(directory, "has-keys")) else []
    with FakeAgentd(directory, agent_list=lambda request: agents, key_list=lambda request: {"keys": keys}):
        number = signal.sigwait({signal.SIGTERM, signal.SIGUSR1})
        if number == signal.SIGUSR1:
            print('{"level":"error","message":"the store is full"}', file=sys.stderr, flush=True)
            os._exit(1)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    main()
