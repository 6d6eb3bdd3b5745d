"""What the end-to-end tests share: running the program as a user does, and looking at what it leaves behind."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DIPTYCH_BINARY", str(REPOSITORY / "build/release/diptych"))

# src/diptych/base/error.h
OK = 0
MISMATCH = 1
USAGE = 2
CONFIG = 3
DATA = 4
MODEL = 5
IO = 6
NUMERICS = 7
REWARD = 8
INTERRUPTED = 9
PEER = 10

POLL_SECONDS = 0.02


class EndToEndTest(unittest.TestCase):
    """Each test has its own empty folder, `self.folder`; the program runs in the repository's root."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="diptych_e2e_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_program(self, *arguments, status=OK, timeout=300, cwd=REPOSITORY):
        """Runs diptych to its end, checks the exit status, and returns what it printed: stdout, then stderr."""
        command = [BINARY, *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, f"{' '.join(command)}\n{output}")
        return output

    def start_program(self, *arguments, cwd=REPOSITORY):
        """Starts diptych in the background with its output in `self.folder`/output.txt; it ends with the test."""
        with open(self.folder / "output.txt", "ab") as output:
            process = subprocess.Popen([BINARY, *map(str, arguments)], cwd=cwd, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output)
        self.addCleanup(end_process, process)
        return process

    def wait_until(self, condition, process, timeout=300):
        """Waits until condition() holds; fails if `process` ends before, or after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not condition():
            if process.poll() is not None and not condition():
                self.fail(f"ended with status {process.returncode} too early\n{self.background_output()}")
            if time.monotonic() > end:
                self.fail(f"not within {timeout} s\n{self.background_output()}")
            time.sleep(POLL_SECONDS)

    def stop_program(self, process, number=signal.SIGTERM, timeout=300):
        """Sends a signal and returns the exit status, negative for a process that the signal killed."""
        process.send_signal(number)
        return process.wait(timeout)

    def background_output(self):
        return (self.folder / "output.txt").read_text(errors="replace")

    def assert_mentions(self, output, *texts):
        for text in texts:
            self.assertIn(str(text), output)

    def write_recipe(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file


def end_process(process):
    if process.poll() is None:
        process.kill()
    process.wait()


def metric_rows(run_folder):
    """The complete rows of RUN/metrics.jsonl; a last line still being written is left out."""
    file = pathlib.Path(run_folder) / "metrics.jsonl"
    if not file.exists():
        return []
    lines = file.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]
