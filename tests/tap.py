"""Run a unittest module and print TAP, one line a test: `tap.main()` at the end of the module."""

import sys
import traceback
import unittest


class _Result(unittest.TestResult):
    def __init__(self, total):
        super().__init__()
        self.count = 0
        self._failed_in_part = set()
        print(f"1..{total}", flush=True)

    def _line(self, word, test, note=""):
        self.count += 1
        name = test.shortDescription() or test.id().removeprefix("__main__.")
        print(f"{word} {self.count} - {name}{note}", flush=True)

    def _why(self, exc_info):
        text = "".join(traceback.format_exception(*exc_info))
        for line in text.rstrip().splitlines():
            print(f"# {line}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._why(err)
        self._line("not ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self._why(err)
        self._line("not ok", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            print(f"# {subtest.id()}", flush=True)
            self._why(err)
            self._failed_in_part.add(test)

    def stopTest(self, test):
        super().stopTest(test)
        if test in self._failed_in_part:  # unittest says neither success nor failure then
            self._line("not ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("ok", test, f" # SKIP {reason}")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromName("__main__")
    result = _Result(suite.countTestCases())
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
