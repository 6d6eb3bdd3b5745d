"""Runs that are as short as possible and write every kind of file, the operations at which they can be hit, and the
comparison of what is left behind. Shared by test_faults.py and tests/stress/kill_runs.py."""

import collections
import hashlib
import json
import os
import pathlib
import signal
import subprocess

import support

STEPS = 2
FEW_WEIGHTS = "train.parameters=[\"*.layers.0.self_attn.q_proj*\"]"
COMMANDS = {
    "train": ["train", "recipes/shapes_unigrpo.toml", "prompts.per_step=2", "train.group_size=2",
              "rollout.max_think_tokens=20", "eval.prompts=2", "train.record_every=2", FEW_WEIGHTS],
    "sft": ["sft", "recipes/shapes_sft.toml", "model=assets/shapes_base", "train.batch=4", "eval.prompts=1",
            "eval.every=0", FEW_WEIGHTS],
}
SHIM_SOURCE = support.REPOSITORY / "tests/faults/fault_injection.cpp"
CHECKPOINT_FILES = ["trainable.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]

Operation = collections.namedtuple("Operation", "number name size path")


def command(kind, run_folder, steps=STEPS, checkpoint_every=1):
    """The command line of a run; the same one continues it."""
    return [support.BINARY, *COMMANDS[kind], f"run.dir={run_folder}", f"train.steps={steps}", "run.threads=1",
            f"run.checkpoint_every={checkpoint_every}", "run.keep_checkpoints=2"]


def environment(**more):
    # With the OpenMP policy set, the program does not start itself a second time.
    return {**os.environ, "OMP_WAIT_POLICY": "passive", **more}


def shim(folder):
    """The library that injects faults: the one of the build, or one compiled here."""
    if "DIPTYCH_FAULT_INJECTION" in os.environ:
        return os.environ["DIPTYCH_FAULT_INJECTION"]
    library = pathlib.Path(folder) / "fault_injection.so"
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, SHIM_SOURCE],
                   check=True)
    return str(library)


def run(arguments, **options):
    """Runs a command line to its end; returns the exit status, negative for a signal, and its output."""
    done = subprocess.run(arguments, cwd=support.REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=600, check=False, env=options.pop("env", environment()), **options)
    return done.returncode, done.stdout + done.stderr


def read_operations(log):
    operations = []
    for line in pathlib.Path(log).read_text().splitlines():
        number, name, size, path = line.split(" ", 3)
        operations.append(Operation(int(number), name, int(size), path))
    return operations


def without_clock(text):
    rows = [json.loads(line) for line in text.splitlines()]
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows]


def end_state(run_folder):
    """What two equal runs have in common: the relative path of every file, with its digest or what counts of it. Left
    out are the process number in `lock`, TensorBoard's files, of which each start writes one, and what a start that was
    killed before its first checkpoint left."""
    run_folder = pathlib.Path(run_folder)
    state = {}
    for file in sorted(run_folder.rglob("*")):
        name = str(file.relative_to(run_folder))
        if file.is_dir() or name == "lock" or name.startswith(("tensorboard/", "before_")):
            continue
        if name == "metrics.jsonl":
            state[name] = without_clock(file.read_text())
        elif name == "recipe.toml":
            state[name] = file.read_text().replace(str(run_folder), "RUN")
        else:
            state[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return state


def differences(actual, expected):
    """The names under which two end states differ."""
    return sorted(name for name in {*actual, *expected} if actual.get(name) != expected.get(name))


def newest_checkpoint(run_folder):
    return max((pathlib.Path(run_folder) / "checkpoints").glob("step_*"))


def was_killed(status):
    return status == -signal.SIGKILL
