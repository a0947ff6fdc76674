"""agentd with real sandboxes of the image tiny: leases, commands, tools."""

import unittest

import tap
from instance import Instance
from rpc_client import RpcError, until

TOOLS = [
    # tool, arguments, what the answer contains, is it an error
    ("write", {"path": "a/b", "content": "one\ntwo\n"}, "Wrote 8 bytes", False),
    ("read", {"path": "a/b"}, "1\tone\n2\ttwo\n", False),
    ("read", {"path": "/root/a/b", "offset": 2}, "2\ttwo\n", False),
    ("edit", {"path": "a/b", "old_text": "two", "new_text": "drei"}, "Replaced 1", False),
    ("edit", {"path": "a/b", "old_text": "two", "new_text": "x"}, "not found", True),
    ("bash", {"command": "cat a/b; exit 3"}, "exit code: 3\nstdout:\none\ndrei\n", False),
    ("glob", {"pattern": "**/b"}, "a/b\n", False),
    ("grep", {"pattern": "dr\\w+"}, "a/b:2:drei\n", False),
    ("ls", {}, "a/\n", False),
    ("ls", {"path": "/nowhere"}, "ENOENT", True),
    ("read", {"path": "/dev/zero"}, "regular file", True),
    ("read", {"path": "/proc/kmsg"}, "Error: ", True),
    ("write", {"path": "/proc/version", "content": "x"}, "Error: ", True),
]


class Tiny(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=3)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.client = self.instance.agentd()
        self.addCleanup(self.client.close)

    def refused(self, method, **params):
        with self.assertRaises(RpcError) as caught:
            self.client.call(method, **params)
        return caught.exception

    def test_all_tools(self):
        """read write edit bash glob grep ls work, also in an image without bash"""
        handle = self.client.acquire()
        for name, arguments, text, is_error in TOOLS:
            answer = self.client.tool(handle, name, **arguments)
            self.assertIn(text, answer["content"], (name, arguments))
            self.assertEqual(answer["is_error"], is_error, (name, arguments))

    def test_a_sandbox_is_fresh(self):
        """after release and acquire nothing of before is there"""
        handle = self.client.acquire()
        self.client.tool(handle, "write", path="/root/mark", content="x")
        self.client.call("sandbox.release", **handle)
        for _ in range(8):
            handle = self.client.acquire()
            self.assertIn("ENOENT", self.client.tool(handle, "read", path="/root/mark")["content"])
            self.client.call("sandbox.release", **handle)

    def test_handles_are_never_reused(self):
        """a released handle is stale, and its id is not given again"""
        seen = set()
        for _ in range(20):
            handle = self.client.acquire()
            self.assertNotIn(handle["id"], seen)
            seen.add(handle["id"])
            self.client.call("sandbox.release", **handle)
            self.assertEqual(self.refused("sandbox.exec", **handle, argv=["true"]).type,
                             "stale_handle")

    def test_a_disconnect_loses_the_leases(self):
        """a client that goes away gives its sandboxes back, whatever runs in them"""
        handle = self.client.acquire()
        self.client.acquire()
        request = self.client.send("sandbox.exec", **handle,
                                   command="trap '' TERM INT HUP; echo on; while :; do sleep 1; done")
        self.client.wait_notification("sandbox.output", lambda p: p["request"] == request)
        self.client.close()
        until(lambda: self.instance.pool()["leased"] == 0, "the leases end")

    def test_streams_stdin_and_signals(self):
        """output streams, stdin is fed, a signal arrives"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, argv=["cat"], stdin="stream")
        for piece in ("one\n", "two\n"):
            self.client.call("sandbox.stdin", request=request, data=piece)
            self.client.wait_notification("sandbox.output", lambda p, piece=piece: p["data"] == piece)
        self.client.call("sandbox.signal", request=request, signal="TERM")
        self.assertEqual(self.client.wait(request)["signal"], 15)

    def test_output_of_megabytes_is_complete(self):
        """64 MiB of output arrive, not one byte less"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, command="head -c 67108864 /dev/zero")
        self.assertEqual(self.client.wait(request)["stdout_bytes"], 64 << 20)
        self.assertEqual(len(self.client.take_output(request)[0]), 64 << 20)

    def test_a_terminal(self):
        """a command can have a terminal of its own"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, pty={"rows": 7, "columns": 70},
                                   command="tty && stty size")
        self.assertEqual(self.client.wait(request)["exit_code"], 0)
        self.assertIn(b"7 70", self.client.take_output(request)[0])

    def test_lists_agree(self):
        """sandbox.list and pool.status tell the same as the supervisor"""
        handle = self.client.acquire()
        rows = self.client.call("sandbox.list")["sandboxes"]
        mine = [row["id"] for row in rows if row["mine"]]
        self.assertEqual(mine, [handle["id"]])
        pool = self.client.call("pool.status")["pools"][0]
        self.assertEqual((pool["template"], pool["min"], pool["leased"]), ("tiny", 3, 1))

    def test_an_unknown_template_is_not_there(self):
        """an acquire of something unknown is no_template"""
        self.assertEqual(self.refused("sandbox.acquire", template="nothing").type, "no_template")

    def test_an_empty_pool_builds_waits_or_fails(self):
        """beyond the warm ones an acquire is built; with fail it is refused"""
        leases = [self.client.call("sandbox.acquire") for _ in range(8)]
        self.assertLessEqual({lease["rung"] for lease in leases}, {"ready", "built", "waited"})
        self.assertIn("ready", {lease["rung"] for lease in leases})

        def is_refused():
            try:
                handle = self.client.acquire(on_empty="fail")
                self.client.call("sandbox.release", **handle)
                return False
            except RpcError as error:
                return error.type in ("pool_exhausted", "limit")
        full = []
        try:
            while True:
                full.append(self.client.acquire(on_empty="build", wait_ms=2000))
        except RpcError as error:
            self.assertIn(error.type, ("pool_exhausted", "timeout", "limit"))
        self.assertTrue(is_refused(), "a full pool refuses")

    def test_a_lease_ends_at_its_deadline(self):
        """at its deadline the lease ends, and every request with it"""
        handle = self.client.acquire(lease_ms=300)
        request = self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
        with self.assertRaises(RpcError) as caught:
            self.client.wait(request)
        self.assertEqual(caught.exception.data["reason"], "deadline")
        self.assertEqual(self.client.wait_notification("sandbox.ended")["reason"], "deadline")

    def test_an_idle_lease_ends_a_busy_one_does_not(self):
        """the idle limit ends a lease that nobody uses, not one with a command under way"""
        busy, idle = self.client.acquire(idle_ms=400), self.client.acquire(idle_ms=400)
        request = self.client.send("sandbox.exec", **busy, argv=["sleep", "2"])
        ended = self.client.wait_notification("sandbox.ended")
        self.assertEqual((ended["id"], ended["reason"]), (idle["id"], "idle"))
        self.assertEqual(self.client.wait(request)["exit_code"], 0)
        ended = self.client.wait_notification("sandbox.ended")
        self.assertEqual((ended["id"], ended["reason"]), (busy["id"], "idle"))

    def test_bad_input_harms_nobody(self):
        """rubbish on one connection leaves the sandboxes of the others alone"""
        handle = self.client.acquire()
        other = self.instance.agentd()
        self.addCleanup(other.close)
        for line in (b"\0\n", b"{\n", b"[" * 5000 + b"\n", b"x" * 3000000 + b"\n", b"[]\n"):
            other.send_bytes(line)
            self.assertIn("error", other.read_message())
        self.assertEqual(self.client.execute(handle, "true")[0]["exit_code"], 0)


tap.main()
