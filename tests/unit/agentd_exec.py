"""agentd: commands, their streams, and what can be said to them while they run."""

import base64
import signal

import tap
from agentd_world import World
from rpc_client import RpcError


class Exec(World):
    def setUp(self):
        super().setUp()
        self.client = self.connect()
        self.handle = self.client.acquire()

    def run_command(self, *argv, **params):
        return self.client.execute(self.handle, *argv, **params)

    def start(self, **params):
        return self.client.send("sandbox.exec", **self.handle, **params)

    def started(self, **params):
        """A command that has written its first line."""
        request = self.start(**params)
        self.client.wait_notification("sandbox.output", lambda p: p["request"] == request)
        return request

    def refused(self, method, **params):
        with self.assertRaises(RpcError) as caught:
            self.client.call(method, **params)
        return caught.exception

    def test_streams_stay_apart_and_come_before_the_result(self):
        """stdout and stderr come as notifications, the result last, with a receipt"""
        result, out, err = self.run_command("sh", "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual((out, err), (b"out\n", b"err\n"))
        self.assertEqual((result["exit_code"], result["signal"], result["end"]), (3, 0, "done"))
        self.assertEqual((result["stdout_bytes"], result["stderr_bytes"]), (4, 4))
        self.assertEqual(result["limits_hit"], [])
        for name in ("wall_ms", "user_ms", "system_ms", "max_rss_bytes"):
            self.assertGreaterEqual(result["receipt"][name], 0)

    def test_a_command_line_runs_in_a_shell(self):
        """command is for bash, also when it is not yet known to be there"""
        for _ in range(3):
            request = self.start(command="test -n \"$BASH_VERSION\" && echo \"a  b\"")
            self.assertEqual(self.client.wait(request)["exit_code"], 0)
            self.assertEqual(self.client.take_output(request)[0], b"a  b\n")

    def test_it_wants_argv_or_command(self):
        """both, or none, is an error"""
        for extra in ({}, {"argv": ["true"], "command": "true"}):
            self.assertEqual(self.refused("sandbox.exec", **self.handle, **extra).type,
                             "invalid_arguments")

    def test_environment_and_directory(self):
        """env is added to the image's, cwd replaces its"""
        _, out, _ = self.run_command("sh", "-c", "echo $A; echo $HOME; pwd", env={"A": "1 = 2"},
                                     cwd="/usr")
        self.assertEqual(out, b"1 = 2\n/\n/usr\n")
        _, out, _ = self.run_command("pwd")
        self.assertEqual(out.decode(), self.root + "\n")
        for bad in ({"A": 1}, {"A=B": "x"}, {"": "x"}):
            self.assertEqual(self.refused("sandbox.exec", **self.handle, argv=["true"], env=bad).type,
                             "invalid_arguments", bad)

    def test_a_missing_program_is_127(self):
        """a program that is not there is command_failed with its errno"""
        error = self.refused("sandbox.exec", **self.handle, argv=["no-such-program"])
        self.assertEqual(error.type, "command_failed")
        self.assertEqual((error.data["errno"], error.data["exit_code"]), ("ENOENT", 127))
        error = self.refused("sandbox.exec", **self.handle, argv=[self.root])
        self.assertEqual((error.data["errno"], error.data["exit_code"]), ("EACCES", 126))

    def test_a_text_is_stdin(self):
        """stdin as a text is all of it; without stdin there is none"""
        _, out, _ = self.run_command("cat", stdin="one\nzwei ä\n")
        self.assertEqual(out.decode(), "one\nzwei ä\n")
        _, out, _ = self.run_command("cat", stdin="")
        self.assertEqual(out, b"")
        _, out, _ = self.run_command("cat")
        self.assertEqual(out, b"")

    def test_stdin_streams(self):
        """stdin comes in pieces, text and bytes, until its end"""
        request = self.start(argv=["cat"], stdin="stream")
        self.client.call("sandbox.stdin", request=request, data="text ")
        self.client.call("sandbox.stdin", request=request,
                         data_base64=base64.b64encode(b"\0\xff").decode())
        self.client.call("sandbox.stdin", request=request, data="", end=True)
        self.assertEqual(self.client.wait(request)["stdout_bytes"], 7)
        self.assertEqual(self.client.take_output(request)[0], b"text \0\xff")

    def test_megabytes_of_stdin_come_out_again(self):
        """whoever waits for the answers never overruns a command, however slow it is"""
        request = self.start(argv=["sh", "-c", "sleep 0.1; exec cat"], stdin="stream")
        piece = bytes(range(256)) * 2048
        for i in range(12):
            self.client.call("sandbox.stdin", request=request, end=i == 11,
                             data_base64=base64.b64encode(piece).decode())
        self.assertEqual(self.client.wait(request)["stdout_bytes"], 12 * len(piece))
        self.assertEqual(self.client.take_output(request)[0], 12 * piece)

    def test_too_much_stdin_is_refused(self):
        """a command that does not read: 4 MiB wait for it, the next piece is busy"""
        request = self.started(argv=["sh", "-c", "echo on; exec sleep 1000"], stdin="stream")
        piece = "x" * (512 << 10)
        pieces = [self.client.send("sandbox.stdin", request=request, data=piece) for _ in range(16)]
        with self.assertRaises(RpcError) as caught:
            self.client.wait(pieces[-1])
        self.assertEqual(caught.exception.type, "busy")
        self.client.call("sandbox.cancel", request=request)
        self.assertEqual(self.client.wait(request)["end"], "cancelled")
        with self.assertRaises(RpcError) as caught:
            self.client.wait(pieces[2])
        self.assertEqual(caught.exception.type, "no_request")

    def test_lost_stdin_ends_the_command(self):
        """stdin by notification that does not fit ends the command: a part would be missing"""
        request = self.started(argv=["sh", "-c", "echo on; exec sleep 1000"], stdin="stream")
        for _ in range(16):
            self.client.notify("sandbox.stdin", request=request, data="x" * (512 << 10))
        self.assertEqual(self.client.wait(request)["end"], "cancelled")

    def test_stdin_that_is_not_wanted(self):
        """stdin for a command that has none, after its end, or as no base64 is an error"""
        request = self.started(argv=["sh", "-c", "echo on; exec sleep 1000"])
        self.assertEqual(self.refused("sandbox.stdin", request=request, data="x").type,
                         "invalid_arguments")
        reader = self.start(argv=["sleep", "1000"], stdin="stream")
        self.client.call("sandbox.stdin", request=reader, data="x", end=True)
        for bad in ({"data": "x"}, {"data_base64": "!"}, {"data": "x", "data_base64": "eA=="}):
            self.assertEqual(self.refused("sandbox.stdin", request=reader, **bad).type,
                             "invalid_arguments", bad)
        self.assertEqual(self.refused("sandbox.stdin", request=999, data="x").type, "no_request")

    def test_a_signal_by_name_and_number(self):
        """a signal reaches the command, by any of its names"""
        for name in ("TERM", "SIGTERM", int(signal.SIGTERM)):
            request = self.started(argv=["sh", "-c", "echo on; exec sleep 1000"])
            self.client.call("sandbox.signal", request=request, signal=name)
            result = self.client.wait(request)
            self.assertEqual((result["signal"], result["exit_code"]), (15, 143))

    def test_signals_that_are_none(self):
        """an unknown signal is an error, and so is one for an ended command"""
        request = self.started(argv=["sh", "-c", "echo on; exec sleep 1000"])
        for bad in ("NOPE", "", 0, 65, -1):
            self.assertEqual(self.refused("sandbox.signal", request=request, signal=bad).type,
                             "invalid_arguments", bad)
        self.client.call("sandbox.signal", request=request, signal="KILL")
        self.client.wait(request)
        self.assertEqual(self.refused("sandbox.signal", request=request, signal="TERM").type,
                         "no_request")

    def test_cancel_kills_the_whole_tree(self):
        """cancel ends a command with all that it started"""
        request = self.started(command="sleep 1000 & setsid sleep 1000 & echo on; wait")
        self.client.call("sandbox.cancel", request=request)
        self.assertEqual(self.client.wait(request)["end"], "cancelled")

    def test_a_timeout_is_124(self):
        """at its timeout a command ends with 124, and its limit is named"""
        result, _, _ = self.run_command("sleep", "1000", timeout_ms=50)
        self.assertEqual((result["end"], result["exit_code"], result["limits_hit"]),
                         ("timeout", 124, ["time"]))

    def test_it_does_not_wait_for_children_that_hold_the_pipes(self):
        """the result comes when the command exits"""
        result, out, _ = self.run_command("sh", "-c", "sleep 1000 & echo done")
        self.assertEqual((result["exit_code"], out), (0, b"done\n"))

    def test_a_terminal(self):
        """pty gives a terminal of the asked size, which can be resized"""
        request = self.start(argv=["sh", "-c", "stty size; read x; stty size"], stdin="stream",
                             pty={"rows": 33, "columns": 111})
        first = self.client.wait_notification("sandbox.output")
        self.assertEqual((first["stream"], first["data"]), ("stdout", "33 111\r\n"))
        self.client.call("sandbox.resize", request=request, rows=5, columns=7)
        self.client.call("sandbox.stdin", request=request, data="\n", end=True)
        self.client.wait(request)
        self.assertIn(b"5 7\r\n", self.client.take_output(request)[0])

    def test_characters_are_not_split(self):
        """a character whose bytes come one by one arrives whole, as text"""
        text = "aé€😀"
        script = "; ".join(f"printf '\\{byte:03o}'; sleep 0.01" for byte in text.encode())
        request = self.start(argv=["sh", "-c", script])
        self.client.wait(request)
        pieces = [m["params"] for m in self.client.notifications]
        self.assertEqual("".join(p["data"] for p in pieces), text)
        self.assertTrue(all("data_base64" not in p for p in pieces))

    def test_an_unfinished_character_comes_at_the_end(self):
        """bytes that never become a character are delivered all the same"""
        _, out, err = self.run_command("sh", "-c", "printf 'a\\342\\202'; printf '\\303' >&2")
        self.assertEqual((out, err), (b"a\xe2\x82", b"\xc3"))

    def test_requests_run_side_by_side(self):
        """100 commands at once each get their own output and result"""
        requests = {self.start(argv=["echo", str(i)]): i for i in range(100)}
        for request, i in requests.items():
            self.assertEqual(self.client.wait(request)["exit_code"], 0)
            self.assertEqual(self.client.take_output(request)[0], f"{i}\n".encode())

    def test_an_id_under_way_is_not_taken_twice(self):
        """a second request with the id of one that runs is refused, and harms it not"""
        request = self.started(argv=["sh", "-c", "echo on; read x; echo $x"], stdin="stream")
        self.client.send("sandbox.exec", request_id=request, **self.handle, argv=["true"])
        with self.assertRaises(RpcError) as caught:
            self.client.wait(request)
        self.assertEqual(caught.exception.type, "invalid_arguments")
        self.client.call("sandbox.stdin", request=request, data="still\n", end=True)
        self.assertEqual(self.client.wait(request)["exit_code"], 0)

    def test_a_notification_runs_without_an_answer(self):
        """exec as a notification does its work and says nothing"""
        self.client.notify("sandbox.exec", **self.handle, command="echo it >here")
        request = self.start(command="while ! test -s here; do sleep 0.01; done; cat here")
        self.client.wait(request)
        self.assertEqual(self.client.take_output(request)[0], b"it\n")
        self.assertFalse(any(self.client.answers.values()))


tap.main()
