#!/usr/bin/env python3
"""Runs the rows of a study: the same training with one change each, several seeds, then its tests.

    studies/run.py studies/unigrpo.toml                         every row, seed by seed
    studies/run.py studies/unigrpo.toml unigrpo detached        these rows
    studies/run.py studies/unigrpo.toml --list                  the commands, without running them

A row and a seed are one call of `diptych train` and one of `diptych eval` for each test, printed as they can be typed.
Each run has a folder below --runs; what is finished there or stands in the tables is not run again, what was interrupted
continues. At the end every test of every finished run is in OUT/NAME_tests.csv and the training metrics, means over 20
steps, in OUT/NAME_curves.csv, and the tests are printed as a table, mean and standard deviation over seeds.

Ends with 1 if a command failed; its output is in RUNS/ROW_SEED.log.
"""

import argparse
import collections
import concurrent.futures
import csv
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
CURVE_STEPS = 20
CURVES = ["reward/mean", "reward/group_std", "loss/velocity_mse", "loss/latent_kl", "loss/text_kl", "think/length",
          "grad_norm/und", "grad_norm/gen", "clip/image_above", "clip/image_below", "gate/text_max", "gate/image_max",
          "time/step"]

Job = collections.namedtuple("Job", "row seed folder train tests")


def jobs_of(study, rows, seeds, runs, binary, changes):
    """Seed by seed, so that an interrupted study holds whole comparisons."""
    for seed in seeds:
        for row in rows:
            if seed not in study["rows"][row].get("seeds", seeds):
                continue
            folder = runs / f"{row}_{seed}"
            train = [binary, "train", study["recipe"], f"run.dir={folder}", f"run.seed={seed}", *study["common"],
                     *study["rows"][row]["changes"], "eval.prompts=0", *changes]
            tests = {name: [binary, "eval", test["recipe"], f"model={folder}/model", f"out={folder}/test_{name}",
                            *test["changes"], *(change for change in changes if change.startswith("eval."))]
                     for name, test in study["tests"].items()}
            yield Job(row, seed, folder, train, tests)


def is_trained(job):
    return (job.folder / "model" / "ema.safetensors").exists()


def is_tested(job, name):
    return (job.folder / f"test_{name}" / "result.json").exists()


def open_commands(job):
    if not is_trained(job):
        yield job.train
    for name, command in job.tests.items():
        if not is_tested(job, name):
            yield command


def run(job):
    log = job.folder.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as output:
        for command in open_commands(job):
            print(shlex.join(map(str, command)), flush=True)
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                              check=False).returncode != 0:
                print(f"failed: {job.row}, seed {job.seed}; see {log}", flush=True)
                return False
    return True


def test_rows(jobs):
    for job in jobs:
        for name in job.tests:
            if not is_tested(job, name):
                continue
            result = json.loads((job.folder / f"test_{name}" / "result.json").read_text())
            yield {"run": job.row, "seed": job.seed, "test": name, "correct_explicit": result["correct_explicit"],
                   "correct_implicit": result["correct_implicit"], "thoughts_right": result["refined_correct"],
                   "reward": result["reward"], **result["by_family"]}


def curve_rows(jobs):
    """Means of each metric over blocks of steps; a block is named by its last step."""
    for job in jobs:
        if not is_trained(job):
            continue
        blocks = collections.defaultdict(lambda: collections.defaultdict(list))
        for line in (job.folder / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            block = (row["step"] + CURVE_STEPS - 1) // CURVE_STEPS * CURVE_STEPS
            for name in CURVES:
                if name in row:
                    blocks[block][name].append(row[name])
        for step, values in sorted(blocks.items()):
            yield {"run": job.row, "seed": job.seed, "step": step,
                   **{name: statistics.fmean(values[name]) for name in CURVES if values[name]}}


def recorded(file):
    """Rows of an earlier call, as they stand in the table."""
    if not file.exists():
        return []
    with open(file, newline="") as table:
        return list(csv.DictReader(table))


def write_csv(file, rows):
    """Adds the rows to the table; those of the same run and seed take the place of earlier ones."""
    rows = list(rows)
    new = {(row["run"], str(row["seed"])) for row in rows}
    rows = [row for row in recorded(file) if (row["run"], row["seed"]) not in new] + rows
    names = list(dict.fromkeys(name for row in rows for name in row))
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="") as output:
        table = csv.DictWriter(output, names, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: f"{value:.5g}" if isinstance(value, float) else value for name, value in row.items()})
    print(f"wrote {file}, {len(rows)} rows")


def mean_and_spread(values):
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"


def print_table(file):
    """Markdown: each run and test, over its seeds."""
    groups = collections.defaultdict(list)
    for row in recorded(file):
        groups[row["run"], row["test"]].append(row)
    print("\n| run | test | seeds | explicit | implicit | mean of both | thoughts that ask for it |")
    print("|---|---|---|---|---|---|---|")
    for (run_name, test), rows in groups.items():
        explicit, implicit, thoughts = ([float(row[name]) for row in rows]
                                        for name in ("correct_explicit", "correct_implicit", "thoughts_right"))
        both = [(e + i) / 2 for e, i in zip(explicit, implicit)]
        numbers = " | ".join(mean_and_spread(values) for values in (explicit, implicit, both, thoughts))
        print(f"| {run_name} | {test} | {len(rows)} | {numbers} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=pathlib.Path)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true", help="print the commands and stop")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the study's own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at once")
    parser.add_argument("--runs", type=pathlib.Path, help="folder of the runs; default: runs/NAME")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the tables; default: --runs")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE",
                        help="for every run, such as train.steps=2")
    parser.add_argument("--binary", default="build/release/diptych")
    arguments = parser.parse_intermixed_args()

    # Commands are those of the repository's root, whatever folder this was called from.
    runs = arguments.runs.resolve() if arguments.runs else pathlib.Path("runs") / arguments.study.stem
    out = arguments.out.resolve() if arguments.out else runs
    study = tomllib.loads(arguments.study.read_text())
    os.chdir(REPOSITORY)
    unknown = [row for row in arguments.rows if row not in study["rows"]]
    if unknown:
        parser.error(f"no row {', '.join(unknown)} in {arguments.study}; there are {', '.join(study['rows'])}")
    tests_file, curves_file = (out / f"{arguments.study.stem}_{kind}.csv" for kind in ("tests", "curves"))
    tested = {(row["run"], row["seed"], row["test"]) for row in recorded(tests_file)}
    jobs = [job for job in jobs_of(study, arguments.rows or study["rows"], arguments.seeds or study["seeds"], runs,
                                   arguments.binary, arguments.set)
            if any((job.row, str(job.seed), test) not in tested for test in job.tests)]
    if arguments.list:
        for job in jobs:
            for command in (job.train, *job.tests.values()):
                print(shlex.join(map(str, command)))
        return 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(run, jobs))
    write_csv(tests_file, test_rows(jobs))
    write_csv(curves_file, curve_rows(jobs))
    print_table(tests_file)
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
