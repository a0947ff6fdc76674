"""The command line of hearth without an instance."""

import json
import os
import subprocess
import tempfile
import unittest

import tap
from instance import HEARTH, hearth

COMMANDS = ["up", "down", "init", "start", "chat", "session ls", "session show", "session rm", "key create", "key ls",
            "key revoke", "agent validate", "run", "exec", "sandbox ls", "sandbox kill", "sandbox net", "sandbox inspect", "pool ls",
            "pool set", "top", "image build", "image ls", "image verify", "image rm", "bench acquire", "bench exec",
            "bench churn", "bench miss", "bench burst", "bench --compare", "doctor", "version"]
NOWHERE = "/nonexistent/instance"


def error(result):
    return json.loads(result.stderr)["error"]


class Usage(unittest.TestCase):
    def test_help_lists_every_command(self):
        """hearth --help lists every command"""
        result = hearth("--help")
        self.assertEqual(result.returncode, 0)
        for command in COMMANDS:
            self.assertRegex(result.stdout.decode(), rf"(?m)^  {command}  +\w")

    def test_every_command_has_help(self):
        """every command has help with a synopsis and its options"""
        for command in COMMANDS:
            result = hearth(*command.split(), "--help")
            self.assertEqual(result.returncode, 0, command)
            self.assertIn(f"Usage: hearth {command} ", result.stdout.decode())
            self.assertIn("--json", result.stdout.decode())

    def test_nothing_is_a_usage_error(self):
        """a missing command is a usage error"""
        result = hearth()
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stdout, b"")
        self.assertIn(b"see hearth --help", result.stderr)

    def test_a_misspelt_command_names_the_nearest(self):
        """a misspelt command names the nearest"""
        result = hearth("bench", "aquire")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"did you mean 'bench acquire'?", result.stderr)

    def test_a_misspelt_option_names_the_nearest(self):
        """a misspelt option names the nearest"""
        result = hearth("up", "--imge", "tiny")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"did you mean '--image'?", result.stderr)

    def test_a_usage_error_of_run_is_125(self):
        """a usage error of run and exec is Hearth's own failure"""
        self.assertEqual(hearth("run").returncode, 125)
        self.assertEqual(hearth("run", "--env", "novalue", "true").returncode, 125)
        self.assertEqual(hearth("run", "--timeout", "soon", "true").returncode, 125)
        for words in (["--workspace", "../x"], ["--hostname", "A"], ["--memory", "0"], ["--pids", "0"],
                      ["--cpus", "many"]):
            self.assertEqual(hearth("run", *words, "true").returncode, 125, words)
        self.assertEqual(hearth("exec", "1").returncode, 125)
        self.assertEqual(hearth("exec", "one", "true").returncode, 125)
        self.assertEqual(hearth("exec", "0", "true").returncode, 125)

    def test_usage_errors_are_json(self):
        """with --json a usage error is one JSON object on stderr"""
        result = hearth("up", "--json")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(error(result)["code"], "usage")
        self.assertIn("--image", error(result)["message"])

    def test_json_of_what_is_not_utf8(self):
        """with --json what is not UTF-8 is still JSON in an error, and a result that cannot be said is a failure"""
        for word in (b"\xff", "x" + "é" * 40):
            self.assertIn("?'", error(hearth("--json", "exec", word, "ls"))["message"])
        self.assertEqual(error(hearth("--json", "image", "verify", "x", "--store", b"/\xff"))["errno"], "ENOENT")
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.") as directory:
            result = hearth("--json", "init", os.path.join(directory.encode(), b"\xff"))
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertEqual(error(result)["errno"], "EILSEQ")

    def test_wrong_values_are_refused(self):
        """wrong values are refused before anything is done"""
        for words in (["up", "--image", "Tiny", "--pool", "1"], ["up", "--image", "../x", "--pool", "1"],
                      ["up", "--image", "tiny"], ["up", "--image", "tiny", "--pool", "0"],
                      ["up", "--image", "tiny", "--pool", "-1"], ["up", "--image", "tiny", "--pool", "9999999"],
                      ["up", "--image", "", "--pool", "1"], ["up", "--pool", "1"],
                      ["up", "--image", "tiny", "--pool", "1", "--except", "10.0.0.0/8"],
                      ["up", "--image", "tiny", "--pool", "1", "--net", "default", "--except", "10.0.0.0/40"],
                      ["up", "--image", "tiny", "--pool", "1", "--net", "allow", "--allow", "https://x.org"],
                      ["sandbox", "net", "1"], ["sandbox", "net", "1", "internet"], ["sandbox", "inspect"],
                      ["bench", "acquire", "-n", "0"], ["bench", "acquire", "-n", "1e3"],
                      ["bench", "acquire", "--pause-us", "-5"], ["down", "now"], ["pool", "ls", "x"],
                      ["image", "build"], ["image", "rm", "a", "b"], ["init", "a", "b"], ["session", "show"],
                      ["session", "rm"], ["session", "ls", "--limit", "0"], ["key", "create", "x"], ["key", "revoke"],
                      ["agent", "validate", "a", "b"], ["version", "x"]):
            with self.subTest(words):
                result = hearth(*words)
                self.assertEqual(result.returncode, 2)
                self.assertNotEqual(result.stderr, b"")

    def test_an_unknown_network_profile_is_refused(self):
        """an unknown network profile is refused with the known ones"""
        result = hearth("up", "--image", "tiny", "--pool", "1", "--net", "internet")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"the profiles are: none, default, allow, open", result.stderr)
        self.assertEqual(hearth("run", "--net", "internet", "true").returncode, 125)

    def test_version(self):
        """version speaks for people, programs and scripts"""
        self.assertRegex(hearth("version").stdout.decode(), r"^hearth \d+\.\d+\.\d+ \(")
        self.assertRegex(hearth("version", "-q").stdout.decode(), r"^\d+\.\d+\.\d+\n$")
        self.assertEqual(json.loads(hearth("--version", "--json").stdout)["control_protocol"], 1)

    def test_no_instance_is_not_found(self):
        """commands that need an instance say that none is there, and how to start one"""
        for words in (["pool", "ls"], ["sandbox", "ls"], ["bench", "acquire"], ["session", "ls"], ["key", "ls"],
                      ["session", "rm", "x"], ["chat", "x"]):
            with self.subTest(words):
                result = hearth(*words, "--dir", NOWHERE)
                self.assertEqual(result.returncode, 3)
                self.assertIn(NOWHERE.encode(), result.stderr)
                self.assertIn(b"(ENOENT)", result.stderr)
                if words[0] != "bench":
                    self.assertIn(b"start one with", result.stderr)
        result = hearth("run", "--json", "--dir", NOWHERE, "true")
        self.assertEqual(result.returncode, 125)
        self.assertEqual(error(result)["errno"], "ENOENT")
        self.assertIn("hearth up", error(result)["message"])

    def test_a_socket_without_a_listener_is_not_found(self):
        """a socket that nobody listens on any more is as good as none"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.") as directory:
            import socket
            for name, kind in (("control.sock", socket.SOCK_SEQPACKET), ("agentd.sock", socket.SOCK_STREAM)):
                with socket.socket(socket.AF_UNIX, kind) as listener:
                    listener.bind(os.path.join(directory, name))
                    listener.listen()
            for words in (["pool", "ls"], ["sandbox", "ls"]):
                result = hearth(*words, directory=directory)
                self.assertEqual(result.returncode, 3)
                self.assertIn(b"(ECONNREFUSED)", result.stderr)
            self.assertEqual(hearth("exec", "1", "true", directory=directory).returncode, 125)

    def test_the_directory_of_the_environment_is_used(self):
        """HEARTH_DIR names the instance, --dir beats it"""
        result = hearth("pool", "ls", environment={"HEARTH_DIR": "/nonexistent/environment"})
        self.assertIn(b"/nonexistent/environment", result.stderr)
        result = hearth("pool", "ls", "--dir", NOWHERE, environment={"HEARTH_DIR": "/nonexistent/environment"})
        self.assertIn(NOWHERE.encode(), result.stderr)

    def test_full_output_is_a_failure(self):
        """output that cannot be written is a failure"""
        with open("/dev/full", "wb") as full:
            result = hearth("version", stdout=full)
        self.assertEqual(result.returncode, 5)
        self.assertIn(b"(ENOSPC)", result.stderr)

    def test_nothing_is_printed_before_a_reader_goes(self):
        """a reader that has gone ends the program as any other"""
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.run([HEARTH, "--help"], stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        self.assertEqual(process.returncode, -13)

    def test_root_is_needed(self):
        """up and down say that they need root"""
        for words in (["up", "--image", "tiny", "--pool", "1"], ["down"]):
            result = subprocess.run(
                ["setpriv", "--reuid", "hearth", "--regid", "hearth", "--clear-groups", HEARTH, *words,
                 "--dir", "/tmp"], capture_output=True, check=False) if reachable() else None
            if result is None:
                self.skipTest("the build directory cannot be entered by user hearth")
            self.assertEqual(result.returncode, 4)
            self.assertIn(b"run it as root", result.stderr)


def reachable():
    """True when user hearth can start the program at all."""
    probe = subprocess.run(["setpriv", "--reuid", "hearth", "--regid", "hearth", "--clear-groups",
                            HEARTH, "version"], capture_output=True, check=False)
    return probe.returncode == 0


if __name__ == "__main__":
    tap.main()
