"""The seeded bugs of tests/sabotage fit the sources, so that the suite can run; nothing is built here."""

import re
import sys
import unittest

import support

sys.path.insert(0, str(support.REPOSITORY / "tests" / "sabotage"))
import bugs  # noqa: E402


def test_names(folder):
    """Suite.Test of every plain test in the sources at and below a folder, and Suite.* of every suite."""
    text = "\n".join(file.read_text() for file in folder.rglob("*_test.cpp"))
    tests = re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", text, re.MULTILINE)
    suites = {suite for suite, _ in tests}
    instances = re.findall(r"^INSTANTIATE_TEST_SUITE_P\((\w+), (\w+)", text, re.MULTILINE)
    suites |= {f"{name}/{suite}" for name, suite in instances}
    return {f"{suite}.{test}" for suite, test in tests} | {f"{suite}.*" for suite in suites}


class SabotageListTest(unittest.TestCase):
    def test_every_old_text_occurs_exactly_once(self):
        listed = bugs.load_bugs()
        self.assertGreaterEqual(len(listed), 26)
        for bug in listed:
            with self.subTest(bug.name):
                self.assertNotEqual(bugs.with_bug(bug), (support.REPOSITORY / bug.file).read_text())

    def test_every_bug_has_a_story_and_tests_that_exist(self):
        for bug in bugs.load_bugs():
            with self.subTest(bug.name):
                self.assertTrue(bug.story.endswith("."))
                self.assertTrue(bug.tests)
                for test in bug.tests:
                    program, _, name = test.partition(":")
                    kind, folder = program.split("_")
                    if name:
                        self.assertIn(name, test_names(support.REPOSITORY / "tests" / kind / folder))


if __name__ == "__main__":
    unittest.main()
