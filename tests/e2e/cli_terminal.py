"""hearth run -it and exec -it: a terminal inside, the caller's terminal outside."""

import signal
import termios
import unittest

import tap
from instance import Instance
from terminal import Terminal


class Interactive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance()
        cls.addClassCleanup(cls.instance.close)

    def open(self, *words, **options):
        terminal = Terminal(self.instance.path, *words, **options)
        self.addCleanup(terminal.close)
        return terminal

    def test_a_shell_talks(self):
        """a shell on -it echoes, answers and exits with its status"""
        terminal = self.open("run", "-it", "--", "sh")
        terminal.type(b"echo $((6 * 7))\n")
        terminal.read_until(b"42\r\n")
        terminal.type(b"exit 3\n")
        self.assertEqual(terminal.wait(), 3)

    def test_the_command_has_a_terminal(self):
        """all three streams inside are one terminal of the caller's size"""
        terminal = self.open("run", "-it", "--", "sh", "-c",
                             "test -t 0 && test -t 1 && test -t 2 && echo tty; stty size")
        terminal.read_until(b"tty\r\n33 101\r\n")
        self.assertEqual(terminal.wait(), 0)

    def test_a_terminal_without_stdin(self):
        """-t alone gives the command a terminal"""
        terminal = self.open("run", "-t", "--", "sh", "-c", "test -t 1 && echo tty")
        terminal.read_until(b"tty\r\n")
        self.assertEqual(terminal.wait(), 0)

    def test_a_new_size_is_passed_on(self):
        """a new size of the caller's terminal reaches the command"""
        terminal = self.open("run", "-it", "--", "sh", "-c",
                             "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done")
        terminal.read_until(b"ready\r\n")
        terminal.resize(50, 132)
        terminal.read_until(b"50 132\r\n")
        self.assertEqual(terminal.wait(), 0)

    def test_ctrl_c_is_for_the_command(self):
        """Ctrl-C interrupts the command, not us"""
        terminal = self.open("run", "-it", "--", "sh", "-c",
                             "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done")
        terminal.read_until(b"ready\r\n")
        terminal.type(b"\x03")
        terminal.read_until(b"caught\r\n")
        self.assertEqual(terminal.wait(), 7)

    def test_ctrl_d_ends_the_input(self):
        """Ctrl-D ends the command's input"""
        terminal = self.open("run", "-it", "--", "sh", "-c", "echo ready; cat; echo over")
        terminal.read_until(b"ready\r\n")
        terminal.type(b"line\n\x04")
        terminal.read_until(b"over\r\n")
        self.assertEqual(terminal.wait(), 0)

    def test_keys_are_not_cooked_twice(self):
        """while it runs the caller's terminal is raw, afterwards it is as before"""
        terminal = self.open("run", "-it", "--", "sh", "-c", "echo ready; read line; exit 0")
        terminal.read_until(b"ready\r\n")
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG))
        terminal.type(b"\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_a_failure_leaves_the_terminal_as_it_was(self):
        """after a failure the terminal is as before, and the error is readable"""
        terminal = self.open("run", "-it", "--", "no-such-command")
        self.assertEqual(terminal.wait(), 127)
        terminal.read_until(b"(ENOENT)\r\n")
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_without_a_terminal_outside(self):
        """-it works without a terminal outside: 24 by 80"""
        result = self.instance.hearth("run", "-it", "--", "sh", "-c", "test -t 0; stty size")
        self.assertEqual((result.returncode, result.stdout), (0, b"24 80\r\n"))

    def test_a_signal_from_outside_is_passed_on(self):
        """a signal sent to us reaches a command with a terminal"""
        terminal = self.open("run", "-it", "--", "sh", "-c",
                             "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
        terminal.read_until(b"ready\r\n")
        terminal.process.send_signal(signal.SIGTERM)
        self.assertEqual(terminal.wait(), 9)

    def test_exec_has_a_terminal_too(self):
        """exec -it gives a terminal in a sandbox of agentd, with its sizes"""
        with self.instance.agentd() as agentd:
            sandbox = agentd.acquire()
            terminal = self.open("exec", str(sandbox["id"]), "-it", "--", "sh")
            terminal.type(b"stty size\n")
            terminal.read_until(b"33 101\r\n")
            terminal.resize(20, 60)
            terminal.type(b"sleep 0.1; stty size\n")
            terminal.read_until(b"20 60\r\n")
            terminal.type(b"exit 4\n")
            self.assertEqual(terminal.wait(), 4)
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)


if __name__ == "__main__":
    tap.main()
