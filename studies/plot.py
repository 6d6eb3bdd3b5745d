#!/usr/bin/env python3
"""Draws the figures of docs/evidence.md from the tables that studies/run.py wrote.

    pip install matplotlib==3.11.2
    studies/plot.py docs/results docs/images

Left: the training reward, mean over 20 steps, a thin line a seed. Right: the share of strictly correct pictures on the test
split, a dot a seed and a line at their mean, tested as it is (filled) and with guidance 2 (open).
"""

import argparse
import collections
import csv
import pathlib
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"]  # Okabe and Ito: told apart by everyone
FIGURES = {
    "who_learns": ("Who learns?", ["unigrpo", "image_only", "text_only"]),
    "guidance": ("Guidance in training?", ["unigrpo", "guided"]),
    "penalty": ("Which penalty?", ["unigrpo", "latent_kl", "no_penalty", "no_text_kl"]),
    "hack": ("Which penalty, under a reward that can be hacked?",
             ["hack_velocity_mse", "hack_latent_kl", "hack_no_penalty", "hack_no_text_kl"]),
    "ratio": ("Ratio norm and context gradient", ["unigrpo", "detached", "ratio_norm", "plain_ratio"]),
    "sizes": ("Group size and window", ["unigrpo", "group_4", "group_16", "window_1", "window_2"]),
}


def read(file):
    with open(file, newline="") as table:
        return list(csv.DictReader(table))


def draw_curves(axes, rows, runs):
    for run, colour in zip(runs, COLOURS):
        seeds = collections.defaultdict(list)
        for row in rows:
            if row["run"] == run:
                seeds[row["seed"]].append((int(row["step"]), float(row["reward/mean"])))
        for number, points in enumerate(seeds.values()):
            axes.plot(*zip(*sorted(points)), color=colour, linewidth=1.4, label=run if number == 0 else None)
    axes.set_xlabel("step")
    axes.set_ylabel("training reward")
    axes.legend(frameon=False, fontsize=8)


def draw_tests(axes, rows, runs):
    names = ["base", *runs]
    for place, run in enumerate(names):
        colour = "#666666" if run == "base" else COLOURS[place - 1]
        for test, shift, filled in (("plain", -0.13, True), ("guided", 0.13, False)):
            values = [(float(row["correct_explicit"]) + float(row["correct_implicit"])) / 2 for row in rows
                      if row["run"] == run and row["test"] == test]
            if not values:
                continue
            axes.plot([place + shift] * len(values), values, "o", color=colour, markersize=5,
                      markerfacecolor=colour if filled else "white")
            mean = statistics.fmean(values)
            axes.plot([place + shift - 0.1, place + shift + 0.1], [mean, mean], color=colour, linewidth=1.2)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axes.set_ylabel("strictly correct, test split")
    axes.grid(axis="y", linewidth=0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=pathlib.Path, help="folder with unigrpo_tests.csv and unigrpo_curves.csv")
    parser.add_argument("out", type=pathlib.Path, help="folder of the pictures, evidence_NAME.png")
    arguments = parser.parse_args()
    tests, curves = (read(arguments.tables / f"unigrpo_{kind}.csv") for kind in ("tests", "curves"))
    for name, (title, runs) in FIGURES.items():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.1), layout="constrained")
        draw_curves(left, curves, runs)
        draw_tests(right, tests, runs)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle(title, fontsize=11)
        figure.savefig(arguments.out / f"evidence_{name}.png", dpi=110)
        plt.close(figure)


if __name__ == "__main__":
    main()
