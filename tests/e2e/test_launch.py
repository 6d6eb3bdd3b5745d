"""`diptych launch`: output, exit codes, signals, and that no rank outlives it."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

import support

RECIPE = "recipes/shapes_unigrpo.toml"
# Ends by SIGTERM with 0.
SERVER = ("serve", "assets/shapes_base", "--port", 0, "--threads", 1)


def children(process):
    """Process ids of the ranks, in their order."""
    text = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return sorted(map(int, text.split()), key=rank_of)


def rank_of(pid):
    environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return int(dict(entry.split("=", 1) for entry in environment if "=" in entry).get("RANK", -1))


def runs(pid):
    """Whether the process is there; one that has ended and waits for its parent is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def has_signal(pid, number, mask):
    """Whether a signal is in one of the process's masks: SigCgt has those with a handler, SigBlk the blocked ones."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    bits = next(line.split()[1] for line in status.splitlines() if line.startswith(mask))
    return bool(int(bits, 16) >> (number - 1) & 1)


def catches_termination(pid):
    """Whether the process has a handler of SIGTERM: it is past its start."""
    return has_signal(pid, signal.SIGTERM, "SigCgt")


class Output(support.EndToEndTest):
    def launch(self, *arguments):
        return subprocess.run([support.BINARY, "launch", *map(str, arguments)], cwd=support.REPOSITORY, timeout=300,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def test_rank_0_has_the_output(self):
        alone = self.run_program("recipe", RECIPE, "run.threads=1")
        done = self.launch("--nproc", 3, "recipe", RECIPE, "run.threads=1")
        self.assertEqual(done.returncode, support.OK, done.stderr)
        self.assertEqual(done.stdout, alone)
        self.assertEqual(done.stderr, "")

    def test_errors_of_other_ranks_have_a_prefix(self):
        done = self.launch("--nproc", 3, "recipe", "none.toml")
        self.assertEqual(done.returncode, support.CONFIG, done.stderr)
        complaints = sorted(line.split("none.toml")[0] for line in done.stderr.splitlines() if "none.toml" in line)
        prefixes = sorted(complaint[:9] for complaint in complaints if complaint.startswith("[rank"))
        self.assertEqual(len(complaints), 3, done.stderr)
        self.assertEqual(prefixes, ["[rank 1] ", "[rank 2] "], done.stderr)
        for rank in range(3):
            self.assertIn(f"rank {rank} ended with exit code 3", done.stderr)

    def test_the_command_has_options_of_its_own(self):
        done = self.launch("--nproc", 2, "shapes", "show", "--out", self.folder / "shapes.png", "--seed", 3)
        self.assertEqual(done.returncode, support.OK, done.stderr)
        self.assertTrue((self.folder / "shapes.png").exists())
        self.assertIn("Usage: diptych shapes show", self.launch("--nproc", 2, "shapes", "show", "--help").stdout)

    def test_two_dashes_may_stand_before_the_command(self):
        for options in (("--nproc", 2), ("--nproc=2", "--grace", 5)):
            done = self.launch(*options, "--", "recipe", RECIPE, "run.seed=7")
            self.assertEqual(done.returncode, support.OK, done.stderr)
            self.assertIn("seed = 7", done.stdout)

    def test_half_a_command_line(self):
        self.run_program("launch", "recipe", RECIPE, status=support.USAGE)
        self.run_program("launch", "--nproc", 0, "recipe", RECIPE, status=support.USAGE)
        self.assert_mentions(self.run_program("launch", "--nproc", 2, status=support.USAGE), "a command to run")
        self.run_program("launch", "--nproc", 2, "launch", "--nproc", 2, "recipe", RECIPE, status=support.USAGE)


class Cores(support.EndToEndTest):
    def threads_of(self, name, *launcher):
        """CPU threads of each process in a run that names no number."""
        run = self.folder / name
        self.run_program(*launcher, "train", RECIPE, f"run.dir={run}", "run.threads=0", "train.steps=1",
                         "prompts.per_step=2", "train.group_size=2", "eval.prompts=0")
        return json.loads((run / "checkpoints" / "step_000001" / "state.json").read_text())["threads"]

    def test_ranks_share_those_of_the_machine(self):
        alone = self.threads_of("alone")
        self.assertEqual(self.threads_of("two", "launch", "--nproc", 2), max(1, alone // 2))


class Signals(support.EndToEndTest):
    def start_servers(self, *options):
        """Starts two ranks that run until they are told to end, and waits until both are ready for that."""
        process = self.start_program("launch", "--nproc", 2, *options, *SERVER)
        self.wait_until(lambda: len(children(process)) == 2 and all(map(catches_termination, children(process))), process)
        self.ranks = children(process)
        self.assertEqual([rank_of(pid) for pid in self.ranks], [0, 1])
        return process

    def assert_all_gone(self, timeout=60):
        end = time.monotonic() + timeout
        while any(map(runs, self.ranks)):
            self.assertLess(time.monotonic(), end, "a rank still runs")
            time.sleep(support.POLL_SECONDS)

    def test_ranks_get_the_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(number):
                process = self.start_servers()
                self.assertEqual(self.stop_program(process, number), support.OK, self.background_output())
                self.assert_all_gone()
                (self.folder / "output.txt").unlink()

    def test_a_hang_up_ignored_from_the_start_reaches_nobody(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        try:
            process = self.start_servers()
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.assertFalse(has_signal(process.pid, signal.SIGHUP, "SigBlk"))
        for pid in self.ranks:
            self.assertFalse(has_signal(pid, signal.SIGHUP, "SigCgt"))
        self.assertEqual(self.stop_program(process, signal.SIGUSR2), support.OK, self.background_output())

    def test_a_reader_of_the_output_that_has_gone_ends_no_rank(self):
        reader, writer = os.pipe()
        os.close(reader)
        run = self.folder / "run"
        command = [support.BINARY, "launch", "--nproc", "2", "train", RECIPE, f"run.dir={run}", "run.threads=1",
                   "train.steps=1", "prompts.per_step=2", "train.group_size=2", "eval.prompts=0"]
        done = subprocess.run(command, cwd=support.REPOSITORY, timeout=300, stdin=subprocess.DEVNULL, stdout=writer,
                              stderr=writer, check=False)
        os.close(writer)
        self.assertEqual(done.returncode, support.OK)
        self.assertTrue((run / "model" / "ema.safetensors").exists())

    def test_no_rank_outlives_it(self):
        process = self.start_servers()
        self.stop_program(process, signal.SIGKILL)
        self.assert_all_gone()

    def test_a_killed_rank_ends_the_others(self):
        process = self.start_servers("--grace", 0)
        os.kill(self.ranks[1], signal.SIGKILL)
        self.assertEqual(process.wait(120), 128 + signal.SIGKILL)
        self.assertIn("rank 1 was ended by signal 9", self.background_output())
        self.assert_all_gone()

    def test_a_rank_that_does_not_end_is_killed(self):
        process = self.start_servers("--grace", 0)
        os.kill(self.ranks[0], signal.SIGSTOP)
        os.kill(self.ranks[1], signal.SIGKILL)
        self.assertEqual(process.wait(120), 128 + signal.SIGKILL)
        self.assert_all_gone()


if __name__ == "__main__":
    unittest.main()
