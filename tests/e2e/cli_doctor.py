"""hearth doctor as it is typed: for people, for programs and for scripts."""

import json
import os
import subprocess
import unittest

import tap
from instance import HEARTH, SECONDS, hearth

WITHOUT = os.path.join(os.environ.get("top_builddir", "."), "tests", "system", "without")


class Doctor(unittest.TestCase):
    def without(self, rule, *words):
        return subprocess.run([WITHOUT, rule, "--", HEARTH, "doctor", *words], capture_output=True, check=False,
                              timeout=SECONDS)

    def test_wrong_command_lines(self):
        """a wrong command line is a usage error, before anything is tried"""
        for words in (["now"], ["--imge"], ["--store"], ["--dir"], ["--json=1"]):
            with self.subTest(words):
                result = hearth("doctor", *words)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, b"")
                self.assertIn(b"see hearth doctor --help", result.stderr)

    def test_usage_errors_are_json(self):
        """with --json a usage error is one JSON object on stderr"""
        result = hearth("doctor", "--json", "now")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(json.loads(result.stderr)["error"]["code"], "usage")

    def test_help(self):
        """its help names its option and its statuses"""
        result = hearth("doctor", "--help")
        self.assertEqual(result.returncode, 0)
        for words in (b"Usage: hearth doctor ", b"--store DIR", b"Status 7"):
            self.assertIn(words, result.stdout)

    def test_the_table(self):
        """people get a row for each check, what the host is, and one line that says it all"""
        result = hearth("doctor")
        self.assertEqual(result.returncode, 0, result.stdout)
        lines = result.stdout.decode().splitlines()
        self.assertRegex(lines[0], "^CHECK +VERDICT +FOUND +FIX")
        self.assertRegex(result.stdout.decode(), r"(?m)^host is hidden +pass +")
        self.assertRegex(result.stdout.decode(), r"(?m)^kernel +Linux ")
        self.assertRegex(lines[-1], r"^\d+ passed, \d+ warned, 0 failed, 0 unknown: this host can run Hearth$")

    def test_the_object(self):
        """programs get one object whose counts are those of its rows"""
        answer = json.loads(hearth("doctor", "--json").stdout)
        verdicts = [row["verdict"] for row in answer["checks"]]
        for verdict, count in (("pass", "passed"), ("warn", "warned"), ("fail", "failed"), ("unknown", "unknown")):
            self.assertEqual(answer[count], verdicts.count(verdict))
        self.assertIs(answer["supported"], True)
        self.assertEqual(answer["host"]["disk limit"], "size and inodes of a tmpfs")

    def test_names_only(self):
        """scripts get the names of what did not pass"""
        rows = json.loads(hearth("doctor", "--json").stdout)["checks"]
        result = hearth("doctor", "--quiet")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.decode().splitlines(),
                         [row["check"] for row in rows if row["verdict"] != "pass"])

    def test_an_unsupported_host(self):
        """on a host that lacks something the status is 7, and the row has the cause and the fix"""
        result = self.without("openat2=ENOSYS")
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertRegex(result.stdout.decode(), r"(?m)^openat2 +fail +openat2: .*\(ENOSYS\) +Linux 5\.6")
        self.assertIn(b": this host cannot run Hearth yet\n", result.stdout)
        result = self.without("openat2=ENOSYS", "--json")
        self.assertEqual(result.returncode, 7)
        self.assertIs(json.loads(result.stdout)["supported"], False)
        self.assertEqual(self.without("openat2=ENOSYS", "--quiet").returncode, 7)

    def test_full_output_is_a_failure(self):
        """output that cannot be written is a failure"""
        with open("/dev/full", "wb") as full:
            result = hearth("doctor", stdout=full)
        # the last write fails, or one before: then only the fact is known
        self.assertIn((result.returncode, result.stderr.split()[-1]), ((5, b"(ENOSPC)"), (1, b"(EIO)")))
        self.assertIn(b"write to standard output", result.stderr)


if __name__ == "__main__":
    tap.main()
