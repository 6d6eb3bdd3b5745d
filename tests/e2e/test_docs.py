"""Every ```sh block of README.md and docs/*.md runs as it stands.

The blocks of one document run in order in one working copy: a folder of links to the repository's content, without
its runs and builds. `diptych` and build/release/diptych are the program under test. ./dev only checks that its
sub-command exists. A block that cannot run in a test says why, in the comment before it:

    <!-- not run in tests: takes an hour -->
"""

import os
import re
import shlex
import subprocess
import unittest

import support

FENCED_BLOCK = re.compile(r"(?:^<!--(?P<comment>[^\n]*)-->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
                          re.MULTILINE | re.DOTALL)
EXCUSE = re.compile(r"\s*not run in tests: *(.*?)\s*$")
LEFT_OUT = {".ci", ".deps", ".git", "build", "dev", "runs"}
TIMEOUT_SECONDS = 300


def documents():
    return [file for file in [support.REPOSITORY / "README.md", *sorted((support.REPOSITORY / "docs").glob("*.md"))]
            if file.exists()]


def shell_blocks(document):
    """(line number, text, None or the reason not to run it) of every ```sh block."""
    text = document.read_text()
    for block in FENCED_BLOCK.finditer(text):
        if block["language"] == "sh":
            excuse = EXCUSE.match(block["comment"] or "")
            yield text.count("\n", 0, block.start("text")) + 1, block["text"], excuse and excuse[1]


def make_executable(file, text):
    file.write_text(text)
    file.chmod(0o755)


def make_working_copy(folder):
    for entry in support.REPOSITORY.iterdir():
        if entry.name not in LEFT_OUT:
            (folder / entry.name).symlink_to(entry)
    for place in ("bin", "build/release"):
        (folder / place).mkdir(parents=True)
        (folder / place / "diptych").symlink_to(support.BINARY)
    dev = shlex.quote(str(support.REPOSITORY / "dev"))
    make_executable(folder / "dev", f'#!/bin/bash\n{dev} help | grep -q "^  $1 " && exit\n'
                                    'echo "./dev has no sub-command $1" >&2\nexit 2\n')


class DocumentsTest(support.EndToEndTest):
    def run_block(self, place, text):
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
                              env={**os.environ, "PATH": path})
        self.assertEqual(done.returncode, 0, f"{place}\n{text}\n{done.stdout}{done.stderr}")

    def test_every_excuse_has_a_reason(self):
        for document in documents():
            for line, _, excuse in shell_blocks(document):
                self.assertNotEqual(excuse, "", f"{document}:{line}")


def add_test(document):
    def test(self):
        make_working_copy(self.folder)
        for line, text, excuse in shell_blocks(document):
            if excuse is None:
                self.run_block(f"{document.name}:{line}", text)

    setattr(DocumentsTest, f"test_{document.stem}", test)


for file in documents():
    add_test(file)

if __name__ == "__main__":
    unittest.main()
