"""What a fault leaves behind: SIGKILL or an error at any operation that changes files, full disks, flipped bytes.

A sample of the operations is tried; with DIPTYCH_STRESS=1 all of them, which takes an hour or two."""

import errno
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import fault_runs
import support

STRESS = os.environ.get("DIPTYCH_STRESS") == "1"
SAMPLED = {"train": 8, "sft": 3}
KILLS = ["kill-before", "kill-half", "kill-after"]
TOLERATED = ["EINTR", "short"]  # a write goes on after them
ERRORS = {
    "open": ["EACCES", "ENOSPC", "EROFS", "EIO"],
    "mkdir": ["EACCES", "ENOSPC", "EROFS", "EIO"],
    "write": ["ENOSPC", "EDQUOT", "EIO"],
    "fsync": ["EIO"],
    "ftruncate": ["EIO"],
    "rename": ["EACCES", "EROFS", "EIO"],
    "remove": ["EACCES", "EROFS", "EIO"],
}


def place(operation, run_folder):
    """What like operations have in common: their name, and the folder of the file without its numbers."""
    folder = pathlib.Path(operation.path.removeprefix(str(run_folder))).parent
    return operation.name, re.sub(r"\d+", "#", str(folder))


class FaultTest(support.EndToEndTest):
    """Runs without a fault, once for all tests: what they leave, and the operations that they make."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="diptych_faults_"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.shim = fault_runs.shim(cls.shared)
        cls.whole = {}
        cls.operations = {}
        for kind in fault_runs.COMMANDS:
            run, log = cls.shared / kind, cls.shared / f"{kind}.log"
            environment = fault_runs.environment(LD_PRELOAD=cls.shim, FAULT_FOLDER=str(run), FAULT_LOG=str(log))
            status, output = fault_runs.run(fault_runs.command(kind, run), env=environment)
            assert status == support.OK, output
            cls.whole[kind] = fault_runs.end_state(run)
            cls.operations[kind] = fault_runs.read_operations(log)

    def run_with_fault(self, kind, run, fault, at, stays=False):
        environment = fault_runs.environment(LD_PRELOAD=self.shim, FAULT_FOLDER=str(run), FAULT=fault,
                                             FAULT_AT=str(at), FAULT_STAYS="1" if stays else "0")
        return fault_runs.run(fault_runs.command(kind, run), env=environment)

    def continue_run(self, kind, run):
        """The same command ends well, without any damaged checkpoint on its way; returns what it printed."""
        status, output = fault_runs.run(fault_runs.command(kind, run))
        self.assertEqual(status, support.OK, output)
        return output

    def assert_whole(self, kind, run):
        self.assertEqual(fault_runs.differences(fault_runs.end_state(run), self.whole[kind]), [])

    def assert_continues(self, kind, run):
        self.assertNotIn("is damaged", self.continue_run(kind, run))
        self.assert_whole(kind, run)

    def chosen(self, kind, seed):
        """Operations to hit: all, or a sample with at most one of each place."""
        operations = self.operations[kind]
        if STRESS:
            return operations
        chance = random.Random(f"{kind} {seed}")
        by_place = {}
        for operation in chance.sample(operations, len(operations)):
            by_place.setdefault(place(operation, self.shared / kind), operation)
        return chance.sample(list(by_place.values()), SAMPLED[kind])

    def for_each(self, seed, check):
        """Calls check(kind, run folder, operation, chance) for the chosen operations of all runs."""
        for kind in fault_runs.COMMANDS:
            for operation in self.chosen(kind, seed):
                run = self.folder / f"{kind}_{operation.number}"
                with self.subTest(kind=kind, operation=operation):
                    check(kind, run, operation, random.Random(f"{kind} {seed} {operation.number}"))
                shutil.rmtree(run, ignore_errors=True)


class Operations(FaultTest):
    def test_the_operations_are_all_seen(self):
        for kind, operations in self.operations.items():
            self.assertGreaterEqual({operation.name for operation in operations}, {"open", "write", "fsync", "rename"})
            touched = {pathlib.Path(operation.path) for operation in operations}
            for name in self.whole[kind]:
                self.assertTrue(any(path.name == pathlib.Path(name).name for path in touched), name)

    def test_a_kill_at_any_operation_is_made_up_for(self):
        def check(kind, run, operation, chance):
            fault = chance.choice(KILLS)
            status, output = self.run_with_fault(kind, run, fault, operation.number)
            self.assertTrue(fault_runs.was_killed(status), output)
            self.assert_continues(kind, run)

        self.for_each("kill", check)

    def test_an_error_at_any_operation_stops_cleanly(self):
        def check(kind, run, operation, chance):
            fault = chance.choice(ERRORS[operation.name])
            status, output = self.run_with_fault(kind, run, fault, operation.number, chance.random() < 0.5)
            if operation.name != "remove" or status != support.OK:  # files that cannot be removed may stay a while
                self.assertEqual(status, support.IO, f"{fault}\n{output}")
                self.assert_mentions(output, run, os.strerror(getattr(errno, fault)))
            self.assert_continues(kind, run)

        self.for_each("error", check)

    def test_interrupted_and_partial_writes_go_on(self):
        for kind in fault_runs.COMMANDS:
            writes = [operation for operation in self.operations[kind] if operation.name == "write"]
            chance = random.Random(kind)
            # The first is that of the lock, the only file that is not written like all others.
            for operation in writes if STRESS else [writes[0], *chance.sample(writes[1:], 2)]:
                run = self.folder / f"{kind}_{operation.number}"
                status, output = self.run_with_fault(kind, run, chance.choice(TOLERATED), operation.number)
                self.assertEqual(status, support.OK, output)
                self.assert_whole(kind, run)
                shutil.rmtree(run)


class RealFaults(FaultTest):
    """The same without the shim, as far as a test may bring it about."""

    def test_a_disk_that_fills(self):
        """A checkpoint finds no space; so would the model at the end, which is asked for before anything is written."""
        self.assert_stops_and_continues("500k", os.strerror(errno.ENOSPC))
        self.assert_stops_and_continues("9m", "MB of free disk space")

    def assert_stops_and_continues(self, size, message):
        script = """
            mount -t tmpfs -o size=$SIZE tmpfs "$DISK" || exit 100
            "$@" && exit 101
            status=$?
            mount -o remount,size=200m "$DISK"
            "$@" && cp -r "$DISK/run" "$RESULT" && exit $status"""
        disk, result = self.folder / f"disk_{size}", self.folder / f"result_{size}"
        disk.mkdir()
        inside = ["unshare", "--mount", "--map-root-user", "bash", "-c", script, "script"]
        status, output = fault_runs.run([*inside, *fault_runs.command("train", disk / "run")],
                                        env=fault_runs.environment(DISK=str(disk), RESULT=str(result), SIZE=size))
        if status in (1, 100):
            self.skipTest(f"no file system can be mounted here: {output}")
        self.assertEqual(status, support.IO, output)
        self.assert_mentions(output, disk, message, "free space")
        expected = dict(self.whole["train"])
        self.assertEqual(set(fault_runs.differences(fault_runs.end_state(result), expected)), {"recipe.toml"})

    def test_a_limit_on_the_size_of_files(self):
        # Python ignores SIGXFSZ, and gives it back here: the program is on its own, as under a shell's `ulimit -f`.
        limit = {"restore_signals": True,
                 "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))}
        run = self.folder / "run"
        status, output = fault_runs.run(fault_runs.command("train", run), **limit)
        self.assertEqual(status, support.IO, output)
        self.assert_mentions(output, run, os.strerror(errno.EFBIG))
        self.assert_continues("train", run)

    def test_a_folder_that_cannot_be_written(self):
        run = self.folder / "file" / "run"
        run.parent.write_text("")
        status, output = fault_runs.run(fault_runs.command("train", run))
        self.assertEqual(status, support.IO, output)
        self.assert_mentions(output, run)

    def test_a_flipped_byte_is_named_and_the_previous_checkpoint_used(self):
        chance = random.Random(0)
        for name in fault_runs.CHECKPOINT_FILES:
            for kind in fault_runs.COMMANDS:
                run = self.folder / f"{kind}_{name}"
                shutil.copytree(self.shared / kind, run)
                recipe = run / "recipe.toml"
                recipe.write_text(recipe.read_text().replace(str(self.shared / kind), str(run)))
                newest = fault_runs.newest_checkpoint(run)
                data = bytearray((newest / name).read_bytes())
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                (newest / name).write_bytes(data)
                output = self.continue_run(kind, run)
                self.assertRegex(output, rf"checkpoint {newest} is damaged \(\S+\.(safetensors|json) ")
                if name != "manifest.json":  # whose damage may show as that of the files that it lists
                    self.assert_mentions(output, f"({name} ")
                self.assert_whole(kind, run)

    def test_signals_leave_a_run_that_continues(self):
        steps = {"steps": 30, "checkpoint_every": 0}  # nothing but the signal saves on the way
        signals = {"train": (signal.SIGINT, signal.SIGUSR1), "sft": (signal.SIGTERM, signal.SIGHUP)}
        for kind in fault_runs.COMMANDS:
            whole = self.folder / f"{kind}_whole"
            self.run_program(*fault_runs.command(kind, whole, **steps)[1:])
            for number in signals[kind]:
                run = self.folder / f"{kind}_{number}"
                arguments = fault_runs.command(kind, run, **steps)[1:]
                process = self.start_program(*arguments)
                self.wait_until(lambda folder=run: len(support.metric_rows(folder)) >= 3, process)
                self.assertEqual(self.stop_program(process, number), support.INTERRUPTED)
                self.assert_mentions(self.background_output(), "interrupted", "the same command continues", run)
                self.run_program(*arguments)
                expected, actual = fault_runs.end_state(whole), fault_runs.end_state(run)
                stopped = {name for name in fault_runs.differences(actual, expected) if name in actual}
                self.assertEqual({name.split("/")[0] for name in stopped}, {"checkpoints"})  # one more, of the signal
                self.assertFalse(any(name in expected for name in stopped))

    def test_random_kills(self):
        script = support.REPOSITORY / "tests/stress/kill_runs.py"
        done = subprocess.run([sys.executable, "-B", script, "--kills", "5", "--seed", "1"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_mentions(done.stdout, "differences 0")


if __name__ == "__main__":
    unittest.main()
