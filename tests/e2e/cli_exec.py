"""hearth exec: a command in a sandbox that a client of agentd holds."""

import json
import os
import signal
import subprocess
import unittest

import rpc_client
import tap
from instance import Instance, start


class Exec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance()
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.agentd = self.instance.agentd()
        self.addCleanup(self.agentd.close)
        self.sandbox = self.agentd.acquire()

    def exec(self, *words, **options):
        return self.instance.hearth("exec", str(self.sandbox["id"]), *words, **options)

    def test_streams_and_status(self):
        """stdout, stderr and the status are the command's"""
        result = self.exec("--", "sh", "-c", "echo out; echo err >&2; exit 9")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (9, b"out\n", b"err\n"))

    def test_it_is_the_same_sandbox(self):
        """it is the sandbox of the client, and stays its own"""
        self.assertEqual(self.exec("--", "sh", "-c", "echo hello >/file").returncode, 0)
        result, out, _ = self.agentd.execute(self.sandbox, "cat", "/file")
        self.assertEqual((result["exit_code"], out), (0, b"hello\n"))

    def test_a_signal_is_128_and_its_number(self):
        """a command that a signal ended exits as in a shell"""
        self.assertEqual(self.exec("--", "sh", "-c", "kill -9 $$").returncode, 137)

    def test_options(self):
        """env, cwd and timeout are the command's"""
        result = self.exec("--env", "A=b c", "--cwd", "/tmp", "--", "sh", "-c", 'echo "$A"; pwd')
        self.assertEqual(result.stdout, b"b c\n/tmp\n")
        result = self.exec("--timeout", "200ms", "--", "sleep", "1000")
        self.assertEqual(result.returncode, 124)
        self.assertIn(b"--timeout", result.stderr)

    def test_a_missing_command_is_127(self):
        """a command that is not there is 127, with the reason"""
        result = self.exec("--", "no-such-command")
        self.assertEqual(result.returncode, 127)
        self.assertIn(b"no-such-command", result.stderr)
        self.assertIn(b"(ENOENT)", result.stderr)

    def test_bytes_of_any_kind_go_both_ways(self):
        """megabytes that are no text go in and out unchanged"""
        data = os.urandom(1 << 20) + b"\0\xff\n"
        result = self.exec("-i", "--", "cat", stdin=data)
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout == data)

    def test_split_characters_arrive_whole(self):
        """text with characters of many bytes arrives unchanged"""
        text = ("gr\u00fc\u00df \u4f60\u597d \U0001f525 " * 20000).encode()
        self.assertTrue(self.exec("-i", "--", "cat", stdin=text).stdout == text)

    def test_stdin_is_empty_unless_asked_for(self):
        """without -i the command's stdin is empty"""
        self.assertEqual(self.exec("--", "cat", stdin=b"hello").stdout, b"")

    def test_signals_are_passed_on(self):
        """a signal reaches the command, and its status comes back"""
        process = start("exec", str(self.sandbox["id"]), "--", "sh", "-c",
                        'trap "exit 42" TERM; echo ready; while :; do sleep 0.05; done',
                        directory=self.instance.path, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 42)

    def test_an_unknown_sandbox_is_said(self):
        """a number that is no sandbox is said"""
        result = self.instance.hearth("exec", "999999", "--", "true")
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"999999", result.stderr)

    def test_a_ready_sandbox_is_nobodys(self):
        """a sandbox that nobody leases cannot be used"""
        rpc_client.until(lambda: self.instance.pool()["ready"] == 2, "the pool is full")
        rows = json.loads(self.instance.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
        ready = next(row["id"] for row in rows if row["state"] == "ready")
        result = self.instance.hearth("exec", str(ready), "--", "true")
        self.assertEqual(result.returncode, 125)
        self.assertNotEqual(result.stderr, b"")

    def test_what_run_holds_is_not_ours(self):
        """a sandbox that hearth run holds is refused, and the holder named"""
        process = start("run", "--", "sh", "-c", "echo ready; sleep 1000", directory=self.instance.path,
                        stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        rows = json.loads(self.instance.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
        held = next(row["id"] for row in rows if row["owner_pid"] == process.pid)
        result = self.instance.hearth("exec", str(held), "--json", "--", "true")
        self.assertEqual(result.returncode, 125)
        why = json.loads(result.stderr)["error"]
        self.assertEqual(why["errno"], "EACCES")
        self.assertIn(str(process.pid), why["message"])

    def test_a_released_sandbox_ends_the_command(self):
        """when its client releases the sandbox the command ends, and that is said"""
        process = start("exec", str(self.sandbox["id"]), "--", "sh", "-c", "echo ready; sleep 1000",
                        directory=self.instance.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.agentd.call("sandbox.release", **self.sandbox)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 125)
        self.assertEqual(len(err.splitlines()), 1)

    def test_it_drops_to_user_hearth(self):
        """it is user hearth without capabilities while it reads what the guest sent"""
        process = start("exec", str(self.sandbox["id"]), "--", "sh", "-c", "echo ready; sleep 1000",
                        directory=self.instance.path, stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open(f"/proc/{process.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        import pwd
        self.assertEqual(status["Uid"].split(), [str(pwd.getpwnam("hearth").pw_uid)] * 4)
        self.assertEqual(int(status["CapPrm"], 16), 0)


if __name__ == "__main__":
    tap.main()
