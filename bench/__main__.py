"""Measures entitled as scripts/bench says: Python's standard library, psql, and the release binaries as users run them."""

import argparse
import json
import math
import pathlib
import shutil
import statistics
import tempfile

import reads
import service
from simulators import Simulator
from stores import Postgres, Sqlite

# People with an account at DeployCenter.
ACCOUNTS = 500
GROWING = ["first import", "unchanged read", "login refresh, one at a time, median", "check, one at a time, median"]


class Figures:
    """Every figure as a list, one entry a run: (unit, goal, values)."""

    def __init__(self):
        self.found = {}

    def note(self, what, unit, goal, value):
        self.found.setdefault(what, (unit, goal, []))[2].append(value)

    def show(self, name):
        for what, (unit, goal, values) in self.found.items():
            median, goal = statistics.median(values), "" if goal is None else goal
            print(f"{name:9} {what:48} {median:9.2f} {min(values):9.2f} {max(values):9.2f} {goal:>6}  {unit}", flush=True)

    def plain(self):
        return {what: {"unit": unit, "goal": goal, "values": values} for what, (unit, goal, values) in self.found.items()}


def measure(stores, sizes, runs):
    """All figures of every store, the big reads `runs` times."""
    found = {}
    for store in stores:
        figures = found[store.name] = Figures()
        for _ in range(runs):
            store.empty()
            reads.measure(store, figures.note)
            service.start(store, figures.note)
            service.logins(store, figures.note)
        service.checks(store, sizes["grants"], figures.note)
        service.logins_while_importing(store, figures.note)
        store.drop()
        figures.show(store.name)
    return found


def growth(name, found, sizes):
    """How a figure grows with the store: the slope over the sizes, 1 for what is linear, 0 for what doesn't grow."""
    slopes = {}
    for what in GROWING:
        points = [(math.log(size), math.log(statistics.median(figures[name].found[what][2]))) for size, figures in zip(sizes, found)]
        slopes[what] = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in zip(points, points[1:])]
        told = ", ".join(f"{slope:.2f}" for slope in slopes[what])
        if told:
            print(f"{name:9} slope of {what:40} {told}", flush=True)
    return slopes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("server")
    for name, default in [("users", 100_000), ("groups", 10_000), ("memberships", 1_000_000), ("grants", 100_000), ("runs", 3)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--parts", type=int, nargs="+", default=[100, 10, 1], help="measured at these parts of the size, to see how it grows")
    parser.add_argument("--seconds", type=float, default=service.SECONDS, help="how long each load lasts")
    parser.add_argument("--json", default="bench.json")
    asked = parser.parse_args()
    service.SECONDS = asked.seconds
    folder = pathlib.Path(tempfile.mkdtemp(prefix="entitled-bench."))
    accounts = Simulator(asked.binaries, folder, "accounts", users=ACCOUNTS)
    try:
        all_found, all_sizes = [], []
        print(f"{'store':9} {'what':48} {'median':>9} {'min':>9} {'max':>9} {'goal':>6}  unit")
        for part in asked.parts:
            sizes = {name: max(1, getattr(asked, name) // part) for name in ["users", "groups", "memberships", "grants"]}
            runs = asked.runs if part == 1 else 1
            print(f"{sizes['memberships']} memberships, {sizes['users']} users, {sizes['groups']} groups, {sizes['grants']} grants, runs: {runs}", flush=True)
            directory = Simulator(asked.binaries, folder, f"directory-{part}", **{name: sizes[name] for name in ["users", "groups", "memberships"]})
            try:
                stores = [Sqlite("sqlite", asked.binaries, folder, directory, accounts), Postgres("postgres", asked.binaries, folder, directory, accounts, asked.server)]
                all_found.append(measure(stores, sizes, runs))
                all_sizes.append(sizes)
            finally:
                directory.stop()
        memberships = [sizes["memberships"] for sizes in all_sizes]
        slopes = {name: growth(name, all_found, memberships) for name in ["sqlite", "postgres"]}
        figures = [{"sizes": sizes, "figures": {name: figures.plain() for name, figures in found.items()}} for sizes, found in zip(all_sizes, all_found)]
        pathlib.Path(asked.json).write_text(json.dumps({"measured": figures, "slopes": slopes}, indent=2) + "\n")
    finally:
        accounts.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
