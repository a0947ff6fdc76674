"""hearth run: a command in a fresh sandbox, its streams, its status, its end."""

import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

import tap
from instance import Directory, HEARTH, Instance, hearth, start


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance()
        cls.addClassCleanup(cls.instance.close)

    def run_(self, *words, **options):
        return self.instance.hearth("run", *words, **options)

    def start(self, *words, **options):
        process = start("run", *words, directory=self.instance.path, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                self.addCleanup(stream.close)
        return process

    def test_streams_are_kept_apart(self):
        """stdout and stderr arrive where they belong"""
        result = self.run_("--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"out\n", b"err\n"))

    def test_the_status_is_passed_through(self):
        """every exit status is passed through"""
        for status in (0, 1, 2, 3, 7, 124, 125, 126, 127, 255):
            self.assertEqual(self.run_("--", "sh", "-c", f"exit {status}").returncode, status)

    def test_a_signal_is_128_and_its_number(self):
        """a command that a signal ended exits as in a shell"""
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            result = self.run_("--", "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(result.returncode, 128 + number)

    def test_a_missing_command_is_127(self):
        """a command that is not there is 127, with the reason"""
        result = self.run_("--", "no-such-command")
        self.assertEqual(result.returncode, 127)
        self.assertIn(b"no-such-command", result.stderr)
        self.assertIn(b"(ENOENT)", result.stderr)

    def test_what_cannot_be_executed_is_126(self):
        """a file that cannot be executed is 126, with the reason"""
        result = self.run_("--", "/etc")
        self.assertEqual(result.returncode, 126)
        self.assertIn(b"(EACCES)", result.stderr)

    def test_a_timeout_is_124(self):
        """at its timeout a command is ended: 124"""
        result = self.run_("--timeout", "200ms", "--", "sleep", "1000")
        self.assertEqual(result.returncode, 124)
        self.assertIn(b"--timeout", result.stderr)

    def test_the_environment_is_added_to(self):
        """--env adds to the image's environment and --cwd sets the directory"""
        result = self.run_("--env", "A=1", "--env", "B=x y=z", "--cwd", "/tmp", "--", "sh", "-c",
                           'echo "$A|$B|$PATH"; pwd')
        a, b, path = result.stdout.decode().splitlines()[0].split("|")
        self.assertEqual((a, b), ("1", "x y=z"))
        self.assertIn("/bin", path)
        self.assertEqual(result.stdout.decode().splitlines()[1], "/tmp")

    def test_a_missing_directory_is_a_failure(self):
        """a working directory that is not there is said"""
        result = self.run_("--cwd", "/nowhere", "--", "true")
        self.assertIn(result.returncode, (125, 126, 127))
        self.assertIn(b"(ENOENT)", result.stderr)

    def test_stdin_is_empty_unless_asked_for(self):
        """without -i the command's stdin is empty"""
        self.assertEqual(self.run_("--", "cat", stdin=b"hello").stdout, b"")

    def test_stdin_is_passed_on_whole(self):
        """with -i megabytes of stdin arrive whole, in order and with their end"""
        data = os.urandom(3 << 20)
        result = self.run_("-i", "--", "cat", stdin=data)
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout == data)

    def test_a_command_that_reads_nothing_does_not_wait_for_stdin(self):
        """a command that reads nothing ends although stdin goes on"""
        process = self.start("-i", "--", "true", stdin=subprocess.PIPE)
        self.assertEqual(process.wait(30), 0)

    def test_large_output_is_whole(self):
        """fifty megabytes of output arrive whole"""
        result = self.run_("--", "head", "-c", "50000000", "/dev/zero")
        self.assertEqual(len(result.stdout), 50000000)
        self.assertEqual(result.stdout.count(b"\0"), 50000000)

    def test_background_children_do_not_hold_it(self):
        """children that hold the output open do not hold the reply"""
        result = self.run_("--", "sh", "-c", "sleep 1000 & echo started")
        self.assertEqual((result.returncode, result.stdout), (0, b"started\n"))

    def test_signals_are_passed_on(self):
        """INT, TERM, HUP and QUIT reach the command, and its status comes back"""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            process = self.start("--", "sh", "-c", 'trap "exit 42" INT TERM HUP QUIT; echo ready; '
                                 "while :; do sleep 0.05; done", stdout=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.send_signal(number)
            self.assertEqual(process.wait(30), 42)

    def test_an_ignored_signal_does_not_end_it(self):
        """a signal that the command ignores ends neither of us"""
        process = self.start("-i", "--", "sh", "-c", 'trap "" TERM; echo ready; cat; exit 5',
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGTERM)
        process.stdin.write(b"still here\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"still here\n")
        process.stdin.close()
        self.assertEqual(process.wait(30), 5)

    def test_a_signal_passes_while_the_reader_is_slow(self):
        """a signal passes although nobody reads the output"""
        process = self.start("--", "sh", "-c", "exec yes", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.read(2), b"y\n")
        process.send_signal(signal.SIGTERM)
        while process.stdout.read(1 << 16):
            pass
        self.assertEqual(process.wait(30), 128 + signal.SIGTERM)

    def test_a_reader_that_goes_ends_it(self):
        """a reader that goes ends the run, and its sandbox with it"""
        process = self.start("--", "yes", stdout=subprocess.PIPE)
        process.stdout.read(2)
        process.stdout.close()
        self.assertEqual(process.wait(30), 128 + signal.SIGPIPE)

    def test_a_passed_pipe_can_be_opened_again(self):
        """/dev/stdin, /dev/stdout and /dev/stderr can be opened inside though they are the caller's pipes"""
        result = self.run_("-i", "--", "sh", "-c", "cat /dev/stdin >/dev/stdout; echo err >/dev/stderr",
                           stdin=b"in")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"in", b"err\n"))

    def test_pipes_are_passed_but_files_are_not(self):
        """a pipe becomes the command's own; of a file nothing is seen inside"""
        look = ("--", "sh", "-c", "readlink /proc/self/fd/1")
        inode = re.compile(rb"pipe:\[(\d+)\]\n")
        ends = os.pipe()
        try:
            process = self.start(*look, stdout=ends[1])
            self.assertEqual(process.wait(30), 0)
            self.assertEqual(int(inode.fullmatch(os.read(ends[0], 100))[1]), os.fstat(ends[0]).st_ino)
            process = self.start("--output-max", "100", *look, stdout=ends[1])
            self.assertEqual(process.wait(30), 0)
            self.assertNotEqual(int(inode.fullmatch(os.read(ends[0], 100))[1]), os.fstat(ends[0]).st_ino)
        finally:
            os.close(ends[0])
            os.close(ends[1])
        with tempfile.TemporaryFile() as file:
            self.assertEqual(self.start(*look, stdout=file).wait(30), 0)
            file.seek(0)
            self.assertRegex(file.read(), inode)

    def test_the_commands_pipe_is_an_open_file_of_its_own(self):
        """flags of the caller's end of a pipe are not the command's, nor the other way round"""
        ends = os.pipe()
        try:
            os.set_blocking(ends[1], False)
            process = self.start("--", "sh", "-c", "readlink /proc/self/fd/1; grep flags /proc/self/fdinfo/1",
                                 stdout=ends[1])
            self.assertEqual(process.wait(30), 0)
            link, flags = os.read(ends[0], 200).decode().splitlines()
            self.assertEqual(link, f"pipe:[{os.fstat(ends[0]).st_ino}]")
            self.assertEqual(int(flags.split()[1], 8) & os.O_NONBLOCK, 0)
        finally:
            os.close(ends[0])
            os.close(ends[1])

    def test_an_unknown_image_is_said(self):
        """an image without a pool is Hearth's own failure, with the reason"""
        result = self.run_("--image", "other", "--", "true")
        self.assertEqual(result.returncode, 125)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn(b"other", result.stderr)

    def test_an_unknown_network_is_said(self):
        """a network profile that the pool has not is refused, never dropped"""
        result = self.run_("--net", "internet", "--", "true")
        self.assertEqual(result.returncode, 125)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_its_own_image_and_network_are_accepted(self):
        """the pool's own image and network may be named"""
        self.assertEqual(self.run_("--image", "tiny", "--net", "none", "--", "true").returncode, 0)

    def test_too_long_a_name_is_refused(self):
        """a name that no pool can have is refused"""
        self.assertEqual(self.run_("--image", "x" * 100, "--", "true").returncode, 125)

    def test_the_receipt_is_json(self):
        """--json adds a receipt on stderr and leaves stdout to the command"""
        result = self.run_("--json", "--", "sh", "-c", "echo hi; exit 3")
        self.assertEqual((result.returncode, result.stdout), (3, b"hi\n"))
        receipt = json.loads(result.stderr)
        self.assertEqual(receipt["exit_status"], 3)
        self.assertIn(receipt["rung"], ("ready", "built", "waited"))
        self.assertEqual(receipt["stdout_bytes"], 3)
        self.assertGreater(receipt["wall_us"], 0)
        self.assertGreater(receipt["sandbox"], 0)

    def test_it_drops_to_user_hearth(self):
        """while it reads from a guest it is user hearth, without capabilities, for good"""
        process = self.start("--", "sh", "-c", "echo ready; sleep 1000", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open(f"/proc/{process.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        import grp
        import pwd
        uid, gid = pwd.getpwnam("hearth").pw_uid, grp.getgrnam("hearth").gr_gid
        self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
        self.assertEqual(status["Groups"].split(), [])
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        process.kill()

    def test_its_death_ends_the_sandbox(self):
        """when it is killed its sandbox is discarded and replaced"""
        process = self.start("--", "sh", "-c", "echo ready; sleep 1000", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.assertEqual(self.instance.pool()["leased"], 1)
        process.kill()
        process.wait()
        import rpc_client
        rpc_client.until(lambda: self.instance.pool()["leased"] == 0 and self.instance.pool()["ready"] == 2,
                         "the sandbox is replaced")

    def test_each_run_has_a_fresh_sandbox(self):
        """nothing of one run is seen by the next"""
        self.assertEqual(self.run_("--", "sh", "-c", "echo x >/left; echo y >/tmp/left").returncode, 0)
        for _ in range(4):
            self.assertEqual(self.run_("--", "sh", "-c", "test ! -e /left && test ! -e /tmp/left").returncode, 0)

    def test_closed_standard_streams_do_no_harm(self):
        """closed standard streams do no harm"""
        command = f'exec "{HEARTH}" run -i -- sh -c "cat; exit 9" <&- >&- 2>&-'
        result = subprocess.run(["sh", "-c", command], check=False, timeout=60,
                                env={**os.environ, "HEARTH_DIR": self.instance.path})
        self.assertEqual(result.returncode, 9)

    def test_a_full_disk_as_stdout_is_said(self):
        """output that cannot be written is Hearth's own failure"""
        with open("/dev/full", "wb") as full:
            result = self.run_("--", "echo", "hello", stdout=full)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"(ENOSPC)", result.stderr)


class Without(unittest.TestCase):
    def test_a_directory_nobody_serves(self):
        """an empty directory is no instance, and the error says what to do"""
        with Directory() as directory:
            result = hearth("run", "--", "true", directory=directory.path)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"hearth up", result.stderr)


if __name__ == "__main__":
    tap.main()
