#!/usr/bin/env python3
"""Kills short training runs at random moments and checks that they continue bit for bit.

A run is started and killed (SIGKILL) after a random delay, started again by the same command and killed again, until it
reaches its end; then all that it left is compared with a run that nobody disturbed. Every second kill aims at a save:
it waits until a checkpoint is being written. Reinforcement and supervised runs take turns.

    DIPTYCH_BINARY=build/release/diptych python3 tests/stress/kill_runs.py --kills 200 --seed 0
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import fault_runs  # noqa: E402
import support  # noqa: E402

STEPS = 4
POLL_SECONDS = 0.0002


def unfinished(run):
    """What is half-written, by path, with the time of its last change: what an earlier process left keeps its time."""
    found = {}
    for folder, folders, files in os.walk(run):
        for name in [*folders, *files]:
            if ".tmp-" in name or name.startswith(("tmp_", "old_")):
                path = pathlib.Path(folder, name)
                try:
                    found[str(path.relative_to(run))] = path.stat().st_ctime_ns
                except FileNotFoundError:
                    pass  # renamed in this moment
    return found


def of_this_process(run, before):
    return [path for path, time_of_change in unfinished(run).items() if before.get(path) != time_of_change]


def is_checkpoint(path):
    return path.startswith(("checkpoints/tmp_step_", "checkpoints/old_"))


def moment(run, before):
    """Where a process was killed, from what it left half-written."""
    paths = of_this_process(run, before)
    if any(path.startswith("checkpoints/tmp_removed_") for path in paths):
        return "while an old checkpoint was removed"
    if any(is_checkpoint(path) for path in paths):
        return "while a checkpoint was written"
    if any(path.startswith("checkpoints/") for path in paths):
        return "while LATEST was written"
    if any(path.startswith("model/") for path in paths):
        return "while the model was written at the end"
    if paths:
        return "while another file was written"
    if any((run / "checkpoints").glob("step_*")):
        return "elsewhere, behind the first checkpoint"
    return "elsewhere, ahead of the first checkpoint"


def spare_time(process, seconds):
    """Lets the process run; True if it ended by itself."""
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def run_and_kill(arguments, run, log, delay, save_delay, before):
    """True if the process was killed, False if it ended well before its time. With `save_delay` the kill comes that
    long after the first sight of a save behind the delay."""
    with open(log, "ab") as output:
        process = subprocess.Popen(arguments, cwd=support.REPOSITORY, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, env=fault_runs.environment())
    try:
        ended = spare_time(process, delay)
        if save_delay is not None:
            while not ended and not any(map(is_checkpoint, of_this_process(run, before))):
                ended = spare_time(process, POLL_SECONDS)
            ended = ended or spare_time(process, save_delay)
    finally:
        process.kill()
        process.wait()
    if fault_runs.was_killed(process.returncode) and not ended:
        return True
    if process.returncode != support.OK:
        sys.exit(f"exit status {process.returncode}\n{log.read_text(errors='replace')}")
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="diptych_kills_"))
    whole, seconds = {}, {}
    for kind in fault_runs.COMMANDS:
        started = time.monotonic()
        status, output = fault_runs.run(fault_runs.command(kind, folder / kind, steps=STEPS))
        if status != support.OK:
            sys.exit(output)
        seconds[kind] = time.monotonic() - started
        whole[kind] = fault_runs.end_state(folder / kind)

    moments, aimed_at_saves, finished, damaged, failures = collections.Counter(), 0, 0, 0, []
    kinds = list(fault_runs.COMMANDS)
    while sum(moments.values()) < options.kills:
        kind = kinds[finished % len(kinds)]
        run, log = folder / "run", folder / "output.txt"
        arguments = fault_runs.command(kind, run, steps=STEPS)
        while sum(moments.values()) < options.kills:
            aims = sum(moments.values()) % 2 == 1
            delay = chance.uniform(0, seconds[kind])
            save_delay = chance.uniform(0, 0.02) if aims else None
            before = unfinished(run)
            if not run_and_kill(arguments, run, log, delay, save_delay, before):
                break
            aimed_at_saves += aims
            moments[moment(run, before)] += 1
        run_and_kill(arguments, run, log, 600, None, {})
        finished += 1
        damaged += log.read_text(errors="replace").count("is damaged")
        names = fault_runs.differences(fault_runs.end_state(run), whole[kind])
        if names:
            failures.append(f"{kind} run {finished}: {', '.join(names)}")
        print(f"run {finished} ({kind}): {sum(moments.values())} kills so far", flush=True)
        shutil.rmtree(run)
        log.unlink()
    shutil.rmtree(folder)

    print(f"seed {options.seed}, {STEPS} steps a run, one checkpoint a step")
    for name, count in moments.most_common():
        print(f"{count:6d} kills {name}")
    print(f"kills {sum(moments.values())} ({aimed_at_saves} of them waited for a save), runs {finished}, "
          f"damaged checkpoints {damaged}, differences {len(failures)}")
    for failure in failures:
        print(f"  {failure}")
    return 1 if failures or damaged else 0


if __name__ == "__main__":
    sys.exit(main())
