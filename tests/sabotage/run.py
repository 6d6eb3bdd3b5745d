#!/usr/bin/env python3
"""Puts each seeded bug of tests/sabotage/*.toml into the sources, one at a time, and finds the test that notices.

Works on a copy of the sources in the build folder; the tree it is started from stays as it is. The copy is built and
must pass its tests. For a bug only its file is compiled again; it is linked in front of the libraries of the clean
build, so that it takes the place of the file in there. The programs named in the bug's entry run first; if none of
them fails, all others that hold the code do.

Ends with 0 if a test failed for every bug, with 1 if a bug went unnoticed, with 2 if the suite itself is broken.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

import bugs

# Tests of an unoptimised build take longer than compiling with -O1. Nobody lists the tests, so they need not be found.
CMAKE_FLAGS = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",
               "-DCMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE=PRE_TEST"]
TIMEOUT_SECONDS = 1800  # of one test program


class SuiteError(Exception):
    """The suite cannot tell anything: the clean tree fails, or a bug does not compile."""


def run(command, log, cwd, timeout=None):
    """Runs a command with its output in the file `log`; returns its status, None after `timeout` seconds."""
    # As `./dev test` does: OpenMP threads that wait must sleep.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    with open(log, "wb") as output:
        try:
            return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  timeout=timeout, env=environment, check=False).returncode
        except subprocess.TimeoutExpired:
            return None


def checked(command, log, cwd, what):
    if run(command, log, cwd) != 0:
        text = log.read_text(errors="replace")
        raise SuiteError(f"{what} failed; {log} ends with\n{text[-3000:]}")


def copy_sources(target):
    """Brings `target` to the tracked and untracked, but not ignored files of the repository; equal files keep their
    times, so that they are not compiled again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=bugs.REPOSITORY, check=True, capture_output=True, text=True).stdout
    names = {name for name in listed.split("\0") if name and (bugs.REPOSITORY / name).is_file()}
    for file in [file for file in target.rglob("*") if file.is_file()] if target.exists() else []:
        if str(file.relative_to(target)) not in names:
            file.unlink()
    for name in sorted(names):
        source, copy = bugs.REPOSITORY / name, target / name
        if copy.exists() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def torch_folder():
    """The folder with TorchConfig.cmake, where ./dev looks for it."""
    root = pathlib.Path(os.environ.get("DIPTYCH_TORCH", bugs.REPOSITORY / ".deps/venv"))
    for place in (root, root / "torch", *sorted(root.glob("lib/python3*/site-packages/torch"))):
        if (place / "share/cmake/Torch/TorchConfig.cmake").exists():
            return place
    raise SuiteError(f"no LibTorch in {root}: run ./dev setup, or set DIPTYCH_TORCH")


class Build:
    """The clean build, and what compiling and linking with one changed file needs from it."""

    def __init__(self, folder, jobs):
        self.source, self.build, self.work, self.jobs = folder / "source", folder / "build", folder / "bugs", jobs
        for place in (self.build, self.work):
            place.mkdir(parents=True, exist_ok=True)
        self.clean = {}  # program -> its failed tests without a bug
        self.clean_lock = threading.Lock()
        copy_sources(self.source)
        self.configure()
        entries = json.loads((self.build / "compile_commands.json").read_text())
        self.compile_commands = {entry["file"].removeprefix(f"{self.source}/"): shlex.split(entry["command"])
                                 for entry in entries}
        self.link_commands = {program: self.link_command(program) for program in bugs.test_programs()}

    def configure(self):
        torch = torch_folder()
        flags = [*CMAKE_FLAGS, f"-DTorch_DIR={torch}/share/cmake/Torch"]
        if (torch / "lib/libtorch_cuda.so").exists():
            flags += [f"-DCMAKE_MODULE_PATH={self.source}/cmake", f"-DTORCH_ROOT={torch}"]
        if shutil.which("ccache"):
            flags.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        checked(["cmake", "-S", self.source, "-B", self.build, *flags], self.build / "configure.log", self.source,
                "cmake")

    def make(self, programs):
        checked(["cmake", "--build", self.build, "--parallel", str(self.jobs), "--target", *programs],
                self.build / "build.log", self.source, f"building {', '.join(programs)} without a bug")

    def link_command(self, program):
        shown = subprocess.run(["ninja", "-t", "commands", "-s", f"tests/{program}"], cwd=self.build, check=True,
                               capture_output=True, text=True).stdout
        # ": && c++ ... -o tests/unit_flow ... && what follows"
        command = re.search(rf"^: && (.* -o tests/{program} .*?) && ", shown)
        if command is None:
            raise SuiteError(f"unexpected link command of {program}: {shown}")
        return shlex.split(command[1])

    def tests_to_try(self, bug):
        """(program, filter of its tests): those of the bug's entry, then all others that hold the changed file."""
        holders = [program for program, command in self.link_commands.items() if bug.library in command]
        named = [(program, tests or "*") for program, _, tests in (test.partition(":") for test in bug.tests)]
        return list(dict.fromkeys([*named, *((program, "*") for program in [*bug.programs, *holders])]))

    def compile(self, bug, place):
        """Compiles bug.file with the bug in it; returns the object file."""
        source, target = place / pathlib.Path(bug.file).name, place / "changed.o"
        source.write_text(bugs.with_bug(bug, self.source))
        command = list(self.compile_commands[bug.file])
        command[command.index("-o") + 1] = str(target)
        command[command.index("-c") + 1] = str(source)
        checked(command, place / "compile.log", self.build, f"compiling {bug.name}")
        return target

    def link(self, program, changed, place):
        """Links a test program with the object file `changed` in place of its own; returns the program."""
        binary = place / program
        command = list(self.link_commands[program])
        at = command.index("-o")
        command[at:at + 2] = [str(changed), "-o", str(binary)]
        checked(command, place / f"{program}.link.log", self.build, f"linking {program}")
        return binary

    def check_clean(self, program):
        """Builds and runs the program without a bug, once; raises SuiteError if it fails."""
        with self.clean_lock:
            if program not in self.clean:
                self.make([program])
                place = self.work / "clean"
                place.mkdir(exist_ok=True)
                self.clean[program] = failed_tests(self.build / "tests" / program, "*", place, keep_going=True)
            if failed := self.clean[program]:
                raise SuiteError(f"{program} fails without any bug: {', '.join(failed)}")


def failed_tests(binary, tests, place, keep_going):
    """Runs a test program in the folder `place`, up to the first failure or to its end; returns the names of the tests
    that failed."""
    report, log = place / f"{binary.name}.json", place / f"{binary.name}.log"
    report.unlink(missing_ok=True)
    status = run([binary, f"--gtest_filter={tests}", f"--gtest_output=json:{report}",
                  f"--gtest_fail_fast={0 if keep_going else 1}"], log, place, TIMEOUT_SECONDS)
    if status == 0:
        return []
    if status is not None and report.exists():
        ran = [test for suite in json.loads(report.read_text())["testsuites"] for test in suite["testsuite"]]
        failed = [f"{test['classname']}.{test['name']}" for test in ran if test.get("failures")]
        if failed:
            return failed
    # It ended inside a test.
    begun = re.findall(r"^\[ RUN      \] (\S+)", log.read_text(errors="replace"), re.MULTILINE)
    how = f"no end within {TIMEOUT_SECONDS} s" if status is None else f"status {status}"
    return [f"{begun[-1] if begun else 'no test'} ({how})"]


def sabotage(build, bug, keep_going):
    """{program: its failed tests} of one bug."""
    place = build.work / bug.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    changed = build.compile(bug, place)
    caught = {}
    for program, tests in build.tests_to_try(bug):
        build.check_clean(program)
        binary = build.link(program, changed, place)
        failed = failed_tests(binary, tests, place, keep_going)
        binary.unlink()
        if failed:
            caught[program] = failed
            if not keep_going:
                break
    changed.unlink()
    return caught


@dataclasses.dataclass
class Row:
    bug: bugs.Bug
    caught: dict[str, list[str]]  # program -> its failed tests
    error: str  # why nothing can be said about this bug; empty if something can
    seconds: float

    def caught_by(self):
        names = ", ".join(f"{program}: {name}" for program, failed in self.caught.items() for name in failed)
        return names or ("an error of the suite" if self.error else "nothing")


def timed(build, bug, keep_going):
    started = time.monotonic()
    row = Row(bug, {}, "", 0)
    try:
        row.caught = sabotage(build, bug, keep_going)
    except (SuiteError, bugs.ListError) as error:
        row.error = str(error)
        print(f"sabotage: {bug.name}: {error}", file=sys.stderr)
    row.seconds = time.monotonic() - started
    print(f"{row.seconds:6.0f} s  {bug.name}: {row.caught_by()}", flush=True)
    return row


def markdown(rows):
    lines = ["| bug | what it does | caught by | seconds |", "|---|---|---|---|"]
    lines += [f"| {row.bug.name} | {row.bug.story} | {row.caught_by()} | {row.seconds:.0f} |" for row in rows]
    return "\n".join(lines) + "\n"


def as_json(rows):
    return json.dumps([{"bug": row.bug.name, "story": row.bug.story, "file": row.bug.file, "caught_by": row.caught,
                        "seconds": round(row.seconds, 1)} for row in rows], indent=1) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="bugs to seed; all by default")
    parser.add_argument("--build-dir", type=pathlib.Path, default=bugs.REPOSITORY / "build/sabotage",
                        help="where the copy, the clean build and the logs lie (default: build/sabotage)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers and bugs at a time")
    parser.add_argument("--all", action="store_true", help="go on after the first failed test, to list all of them")
    parser.add_argument("--list", action="store_true", help="show the bugs and end")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def chosen(names):
    listed = bugs.load_bugs()
    if unknown := set(names) - {bug.name for bug in listed}:
        raise SuiteError(f"no bug is called {', '.join(sorted(unknown))}; --list shows all")
    return [bug for bug in listed if not names or bug.name in names]


def main():
    options = arguments()
    seeded = chosen(options.names)
    if options.list:
        for bug in seeded:
            print(f"{bug.name}: {bug.story}")
        return 0
    for bug in seeded:
        bugs.with_bug(bug)
    build = Build(options.build_dir.resolve(), options.jobs)
    named = sorted({program for bug in seeded for program in bug.programs})
    print(f"building and running without a bug: {', '.join(named)}", flush=True)
    build.make(named)
    for program in named:
        build.check_clean(program)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda bug: timed(build, bug, options.all), seeded))
    for file, text in ((options.markdown, markdown), (options.json, as_json)):
        if file is not None:
            file.write_text(text(rows))
    missed = [row.bug.name for row in rows if not row.caught]
    print(f"\n{markdown(rows)}\n{len(rows) - len(missed)} of {len(rows)} bugs were caught"
          + (f"; not caught: {', '.join(missed)}" if missed else ""))
    if any(row.error for row in rows):
        return 2
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (SuiteError, bugs.ListError) as error:
        print(f"sabotage: {error}", file=sys.stderr)
        sys.exit(2)
