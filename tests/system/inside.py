"""Scripts that run in a sandbox of the image base, each in one of its own, as root there."""

import unittest

from lite import lite


class Inside(unittest.TestCase):
    """A script fails at its first command that fails, and what it then said is shown."""

    maxDiff = None

    def inside(self, script, stdin="", options=()):
        """What a bash script says on both its outputs; it must end well."""
        done = lite("--memory", "1G", *options, "--", "bash", "-euo", "pipefail", "-c",
                    "exec 2>&1\n" + script, stdin=stdin.encode(), timeout=120)
        said = done.stdout.decode(errors="replace")
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""), said)
        return said

    def lines(self, script, *expected, **options):
        """Its last lines are these."""
        said = self.inside(script, **options).splitlines()
        self.assertEqual(said[len(said) - len(expected):], list(expected), "\n".join(said))
