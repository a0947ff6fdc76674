"""What tests/system/qemu makes of a guest's console: nothing that did not run may pass for having run."""

import contextlib
import io
import os
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import tap

sys.path.insert(0, str(Path(os.environ["top_srcdir"]) / "tests/system/qemu"))
import debian_kernel  # noqa: E402

WHOLE = """\
Booting from ROM...
hearth-guest: begin tests/a.test
1..2
ok 1 - one
ok 2 - two
# ok - tests
hearth-guest: end tests/a.test 0
hearth-guest: begin tests/b.test
1..1
ok 1 - three
hearth-guest: end tests/b.test 0
hearth-guest: done
"""


def judged(text):
    """(lines of TAP, how many are not ok) of this console, with a.test and b.test E01 in the list."""
    out = io.StringIO()
    writer = debian_kernel.Tap()
    with contextlib.redirect_stdout(out):
        listed = SimpleNamespace(programs=[["tests/a.test"], ["tests/b.test", "E01"]])
        console = debian_kernel.Console(writer, listed)
        for line in text.splitlines():
            console.take(line)
        console.judge()
    return out.getvalue(), writer.failed


class DebianKernelTest(unittest.TestCase):
    def expect(self, text, failed, part):
        out, count = judged(text)
        self.assertEqual(count, failed, out)
        self.assertIn(part, out)

    def test_a_whole_run_passes_with_each_test_by_name(self):
        self.expect(WHOLE, 0, "ok 2 - a: two\n")
        self.expect(WHOLE, 0, "ok 3 - b E01: three\n")

    def test_a_failed_test_of_the_guest_fails_here(self):
        self.expect(WHOLE.replace("ok 2 - two", "not ok 2 - two"), 1, "not ok 2 - a: two\n")

    def test_fewer_tests_than_planned_fail(self):
        self.expect(WHOLE.replace("ok 2 - two\n", ""), 1, "a: ran 1 of 2 tests")

    def test_a_program_without_a_plan_fails(self):
        self.expect(WHOLE.replace("1..1\n", ""), 1, "b E01: said no plan")

    def test_a_bad_exit_status_fails(self):
        self.expect(WHOLE.replace("a.test 0", "a.test 137"), 1, "a: ended with 137")

    def test_a_listed_program_that_never_began_fails(self):
        cut = WHOLE[: WHOLE.index("hearth-guest: begin tests/b")]
        self.expect(cut + "hearth-guest: done\n", 1, "b E01: did not end")

    def test_a_panic_half_way_fails_all_that_is_left(self):
        cut = WHOLE[: WHOLE.index("ok 2 - two")]
        self.expect(cut + "Kernel panic - not syncing\n", 3, "# Kernel panic")

    def test_silence_fails_everything(self):
        self.expect("", 3, "not ok 3 - the guest came to the end of its list")


if __name__ == "__main__":
    tap.main()
