"""agentd: how it starts, what it gives up, and how it ends."""

import os
import signal
import tempfile

import tap
from agentd_world import World
from rpc_client import PATIENCE_S, RpcError, until


class Life(World):
    def error_of(self, client, request):
        with self.assertRaises(RpcError) as caught:
            client.wait(request)
        return caught.exception

    def wait_end(self, exit_code):
        self.agentd_exit_code = exit_code
        self.assertEqual(self.agentd.wait(PATIENCE_S), exit_code)

    def test_usage(self):
        """--help and --version succeed, an unknown option is status 2"""
        self.assertEqual(self.run_agentd("--help")[0], 0)
        self.assertRegex(self.run_agentd("--version")[1], r"^hearth-agentd [0-9]")
        for arguments in (("--nope",), ("more",), ("--dir",)):
            status, text = self.run_agentd(*arguments)
            self.assertEqual(status, 2)
            self.assertIn("usage:", text)

    def test_without_a_supervisor_it_says_what_to_do(self):
        """without a supervisor, or a directory, it fails with the reason"""
        with tempfile.TemporaryDirectory(prefix="hearth-agentd-") as directory:
            os.chmod(directory, 0o755)
            status, text = self.run_agentd("--dir", directory)
            self.assertEqual(status, 1)
            self.assertIn("hearth up", text)
            status, text = self.run_agentd("--dir", directory + "/missing")
            self.assertEqual(status, 1)
            self.assertIn("No such file", text)

    def test_it_holds_no_privilege(self):
        """it has no capability, can gain none, and leaves no core"""
        with open(f"/proc/{self.agentd.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        # The files of a process that is not dumpable are root's.
        self.assertEqual(os.stat(f"/proc/{self.agentd.pid}/status").st_uid, 0)

    def test_the_socket_is_for_its_group(self):
        """agentd.sock has mode 0660"""
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o660)

    def test_a_live_one_is_not_replaced(self):
        """a second agentd refuses to take the socket of the first, which goes on"""
        status, text = self.run_agentd("--dir", self.directory)
        self.assertEqual(status, 1)
        self.assertIn("somebody answers there already", text)
        self.connect().call("agentd.version")

    def test_a_stale_socket_is_replaced(self):
        """after a kill -9 the next one takes over, and the sandboxes of the first are gone"""
        client = self.connect()
        client.acquire()
        self.agentd.kill()
        self.agentd.wait()
        self.expect("gone 0")
        self.assertTrue(os.path.exists(self.path))
        self.agentd = self.start_agentd()
        until(self._answers, "the next one answers")
        rows = self.connect().call("sandbox.list")["sandboxes"]
        self.assertEqual([row["id"] for row in rows], [1000000])

    def test_something_else_is_not_replaced(self):
        """a file where the socket should be is left alone"""
        self.agentd.send_signal(signal.SIGTERM)
        self.agentd.wait(PATIENCE_S)
        os.unlink(self.path)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("precious")
        status, text = self.run_agentd("--dir", self.directory)
        self.assertEqual(status, 1)
        self.assertIn("something else than a socket", text)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_sigterm_answers_what_is_open(self):
        """at SIGTERM every request is answered, the owners are told, and it exits 0"""
        client, waiting = self.connect(), self.connect()
        handle = client.acquire()
        requests = [client.send("sandbox.exec", **handle, argv=["sleep", "1000"]),
                    client.send("tool.call", **handle, name="bash",
                                arguments={"command": "sleep 1000"})]
        client.execute(handle, "true")
        acquire = waiting.send("sandbox.acquire", template="never")
        self.expect("never 0")
        self.agentd.send_signal(signal.SIGTERM)
        for request in requests:
            self.assertEqual(self.error_of(client, request).data["reason"], "shutdown")
        self.assertEqual(client.wait_notification("sandbox.ended")["reason"], "shutdown")
        self.assertEqual(self.error_of(waiting, acquire).type, "stopping")
        self.assertTrue(client.is_closed())
        self.wait_end(0)

    def test_a_sigterm_that_comes_early_is_not_lost(self):
        """SIGTERM ends it at whatever moment of its start it comes"""
        self.agentd.send_signal(signal.SIGTERM)
        self.assertEqual(self.agentd.wait(PATIENCE_S), 0)
        for _ in range(50):
            self.agentd = self.start_agentd()
            until(lambda: self.agentd.poll() is not None or self.blocks_sigterm(), "it starts")
            self.agentd.send_signal(signal.SIGTERM)
            self.assertEqual(self.agentd.wait(PATIENCE_S), 0)

    def blocks_sigterm(self):
        with open(f"/proc/{self.agentd.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        bit = 1 << signal.SIGTERM - 1
        return any(int(status[name], 16) & bit for name in ("SigBlk", "SigCgt"))

    def test_sigterm_does_not_wait_for_a_client_that_never_reads(self):
        """a client that does not take its last answers cannot hold up the end"""
        client = self.connect()
        handle = client.acquire()
        client.send("sandbox.exec", **handle, argv=["yes"])
        client.wait_notification("sandbox.output")
        self.agentd.send_signal(signal.SIGTERM)
        self.wait_end(0)

    def test_a_lost_supervisor_ends_it(self):
        """without the supervisor every request ends typed, the log says why, the status is 1"""
        client, waiting = self.connect(), self.connect()
        handle = client.acquire()
        request = client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
        client.execute(handle, "true")
        acquire = waiting.send("sandbox.acquire", template="never")
        self.expect("never 0")
        self.supervisor.kill()
        self.assertEqual(self.error_of(client, request).data["reason"], "supervisor_lost")
        self.assertEqual(self.error_of(waiting, acquire).type, "stopping")
        self.wait_end(1)
        self.assertIn("the supervisor is lost", self.read_log())


tap.main()
