"""What an agent does wrong in its sandbox ends as a typed failure, and hurts nobody else."""

import unittest

import tap
from instance import Instance
from rpc_client import RpcError

FORK_BOMB = "mkfifo /f; exec 3<>/f; (f() { f | f & }; f) & read never <&3"
SWAP = """
mkdir -p w && cd w
while :; do
	rm -rf t; echo inside >t
	rm -f t; ln -s /root/secret t
done
"""


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=2)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.client = self.instance.agentd()
        self.addCleanup(self.client.close)
        self.handle = self.client.acquire()

    def still_works(self):
        other = self.client.acquire()
        self.assertEqual(self.client.execute(other, "echo", "on")[1], b"on\n")

    def test_a_fork_bomb_is_stopped_by_its_timeout(self):
        """a fork bomb is killed with all its children, and the sandbox goes on"""
        answer = self.client.tool(self.handle, "bash", command=FORK_BOMB, timeout=2000)
        self.assertTrue(answer["is_error"])
        self.assertEqual(answer["receipt"]["exit_code"], 124)
        self.assertIn("time", answer["receipt"]["limits_hit"])
        self.assertIn("exit code: 0", self.client.tool(self.handle, "bash", command="true")["content"])
        self.still_works()

    def test_a_full_disk_is_named(self):
        """a full disk fails the write, says so, and can be freed again"""
        result, _, err = self.client.execute(
            self.handle, "dd", "if=/dev/zero", "of=/big", "bs=1M", timeout_ms=60000)
        self.assertNotEqual(result["exit_code"], 0)
        self.assertIn(b"No space", err)
        self.assertIn("disk", result["limits_hit"])
        answer = self.client.tool(self.handle, "write", path="/x", content="x" * 100000)
        self.assertTrue(answer["is_error"])
        self.assertIn("(ENOSPC): disk full, limit 512 MiB and 200000 files: delete", answer["content"])
        self.client.execute(self.handle, "rm", "/big")
        self.assertFalse(self.client.tool(self.handle, "write", path="/x", content="x")["is_error"])
        self.still_works()

    def test_a_memory_hog_is_a_typed_failure(self):
        """memory without end ends the command or the sandbox, with the limit's name"""
        hog = "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"
        request = self.client.send("sandbox.exec", **self.handle, command=hog, timeout_ms=60000)
        try:
            result = self.client.wait(request)
            self.assertNotEqual(result["exit_code"], 0)
            self.assertNotEqual(result["end"], "timeout")
        except RpcError as error:
            self.assertEqual((error.type, error.data["reason"]), ("sandbox_ended", "oom"))
            self.assertEqual(error.data["limits_hit"], ["memory"])
        self.still_works()

    def test_killing_everything_inside_does_not_kill_the_sandbox(self):
        """kill -9 of every process from inside leaves the sandbox usable"""
        self.client.execute(self.handle, "sh", "-c", "kill -9 -1", timeout_ms=10000)
        self.client.execute(self.handle, "sh", "-c", "kill -9 1; kill -STOP 1", timeout_ms=10000)
        self.assertEqual(self.client.execute(self.handle, "echo", "alive")[1], b"alive\n")

    def test_symlinks_that_swap_stay_inside(self):
        """files that change under the tools are never a way out of the sandbox"""
        request = self.client.send("sandbox.exec", **self.handle, command=SWAP)
        for _ in range(200):
            self.client.tool(self.handle, "read", path="w/t")
            self.client.tool(self.handle, "write", path="w/t", content="written")
            self.client.tool(self.handle, "edit", path="w/t", old_text="i", new_text="I")
            self.client.tool(self.handle, "grep", path="w", pattern="root:")
        self.client.call("sandbox.cancel", request=request)
        self.client.wait(request)

    def test_odd_targets_are_errors_at_once(self):
        """a FIFO, devices, huge sparse files, long and ugly names are no way to hang a tool"""
        self.client.execute(self.handle, "sh", "-c",
                            "mkfifo fifo; truncate -s 1000000000000 sparse; ln -s loop loop;"
                            " mkdir -p 'a\nb'; echo x >\"a\nb/$(printf '\\377\\001')\"")
        for path in ("fifo", "/dev/tty", "/dev/null", "loop", "a\nb", "x/" * 2000 + "x"):
            answer = self.client.tool(self.handle, "read", path=path)
            self.assertTrue(answer["is_error"], path)
        for name, arguments in (("read", {"path": "sparse"}), ("grep", {"pattern": "x"}),
                                ("glob", {"pattern": "**"}), ("ls", {}),
                                ("ls", {"path": "a\nb"}),
                                ("edit", {"path": "sparse", "old_text": "x", "new_text": "y"})):
            answer = self.client.tool(self.handle, name, **arguments)
            self.assertNotIn("a\nb", answer["content"], name)

    def test_a_flood_of_output_can_be_cancelled(self):
        """endless output of a command does not stop its cancel"""
        request = self.client.send("sandbox.exec", **self.handle, argv=["yes"])
        self.client.wait_notification("sandbox.output")
        cancel = self.client.send("sandbox.cancel", request=request)
        self.assertEqual(self.client.wait(request)["end"], "cancelled")
        self.client.wait(cancel)


tap.main()
