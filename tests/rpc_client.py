"""A client of agentd.sock for tests: it can also do what a client must not."""

import json
import socket
import time

PATIENCE_S = 60  # for what must happen


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']} {error['data'].get('type')}: {error['message']}")
        self.code = error["code"]
        self.type = error["data"].get("type")
        self.message = error["message"]
        self.data = error["data"]


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self.buffer = b""
        self.last_id = 0
        self.answers = {}
        self.notifications = []

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Bytes

    def send_bytes(self, data):
        self.socket.sendall(data)

    def read_message(self):
        """The next line as an object; None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def is_closed(self):
        """Read to the end, which must come."""
        while self.read_message() is not None:
            pass
        return True

    # Requests

    def send(self, method, request_id=None, **params):
        if request_id is None:
            self.last_id += 1
            request_id = self.last_id
        line = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self.send_bytes(json.dumps(line).encode() + b"\n")
        return request_id

    def notify(self, method, **params):
        line = {"jsonrpc": "2.0", "method": method, "params": params}
        self.send_bytes(json.dumps(line).encode() + b"\n")

    def _read_one(self):
        message = self.read_message()
        if message is None:
            raise EOFError("agentd has closed the connection")
        if "method" in message:
            self.notifications.append(message)
        else:
            self.answers.setdefault(message["id"], []).append(message)

    def wait(self, request_id):
        """The result of a request that was sent."""
        while not self.answers.get(request_id):
            self._read_one()
        message = self.answers[request_id].pop(0)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    def call(self, method, **params):
        return self.wait(self.send(method, **params))

    def wait_notification(self, method, match=lambda params: True):
        """The first one that fits; it is taken out."""
        while True:
            for i, message in enumerate(self.notifications):
                if message["method"] == method and match(message["params"]):
                    return self.notifications.pop(i)["params"]
            self._read_one()

    def take_output(self, request_id):
        """What has come so far of a command's output: (stdout, stderr) as bytes."""
        import base64

        out = {"stdout": [], "stderr": []}
        rest = []
        for message in self.notifications:
            params = message["params"]
            if message["method"] != "sandbox.output" or params["request"] != request_id:
                rest.append(message)
            elif "data" in params:
                out[params["stream"]].append(params["data"].encode())
            else:
                out[params["stream"]].append(base64.b64decode(params["data_base64"]))
        self.notifications = rest
        return b"".join(out["stdout"]), b"".join(out["stderr"])

    # Sandboxes

    def acquire(self, **params):
        lease = self.call("sandbox.acquire", **params)
        return {"id": lease["id"], "epoch": lease["epoch"]}

    def execute(self, handle, *argv, **params):
        """Run a command to its end: (result, stdout, stderr)."""
        request_id = self.send("sandbox.exec", **handle, argv=list(argv), **params)
        result = self.wait(request_id)
        return (result, *self.take_output(request_id))

    def tool(self, handle, name, cwd=None, **arguments):
        extra = {"cwd": cwd} if cwd else {}
        return self.call("tool.call", **handle, name=name, arguments=arguments, **extra)


def until(condition, what):
    """Poll for something that another process does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"it did not happen: {what}")
