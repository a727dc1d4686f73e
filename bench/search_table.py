"""The kept runs of ``make bench-search`` compared: ``python -m bench.search_table`` reads them and runs nothing.

What is compared, and how, is what ``fairnad-tui study show`` does. Every method beside FairNAD counts as a baseline,
the rows of the ablation too. Exit 1 where a target is missed, or cannot be judged because pairs are missing.
"""

from __future__ import annotations

import json
import sys

from bench.search import Subject, plan, subjects
from fairnad_engine.report.study import comparison_tables, interval, markdown_table
from fairnad_engine.search.compared import Comparison, Versus, compare

RANDOM = "random"


def main() -> int:
    """Print one comparison for each data set, with its targets; the exit status."""
    print(_head())
    met = True
    for subject in subjects():
        records = subject.records()
        print(f"\n### {subject.title}\n")
        found = compare(records, subject.methods)
        if not found.methods:
            print("No run is kept yet.")
            met = False
            continue
        print(f"{len(records)} of {len(subject.methods) * len(plan()['seeds'])} runs; {_engines(subject)}.")
        for table in comparison_tables(found):
            if table.rows:
                print(f"\n{table.title}:\n\n{markdown_table(table)}")
        lines = targets(found, plan()["seeds"], plan()["trained"], subject.methods)
        print("\n| target | measured | met |\n|---|---:|---|")
        for what, measured, good in lines:
            print(f"| {what} | {measured} | {'yes' if good else 'no'} |")
            met = met and good
    return 0 if met else 1


def targets(found: Comparison, seeds: list[int], trained: int, methods: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """Each target, what was measured, and whether it was met; one without all its pairs is not."""
    versus = {one.method: one for one in found.versus}
    lines: list[tuple[str, str, bool]] = []
    for method in methods[1:]:
        one = versus.get(method)
        if one is None:
            lines.append((f"hypervolume and best accuracy above {method}'s", "no pair yet", False))
            continue
        whole = len(one.seeds) == len(seeds)
        pairs = "" if whole else f" ({len(one.seeds)} of {len(seeds)} pairs)"
        volume, best = one.hypervolume, one.best
        lines.append((f"hypervolume above {method}'s", interval(volume, 4) + pairs, whole and volume.above_zero))
        lines.append((f"best accuracy above {method}'s, points", interval(best, 2) + pairs, whole and best.above_zero))
    if RANDOM in versus:
        lines.append(_half(versus[RANDOM], seeds, trained))
    return lines


def _half(one: Versus, seeds: list[int], trained: int) -> tuple[str, str, bool]:
    measured = f"{one.models.mean:.1f} [{one.models.low:.1f}, {one.models.high:.1f}]; {one.reached} of {len(one.seeds)}"
    good = len(one.seeds) == len(seeds) and one.models.mean <= trained / 2
    return f"models to random's final hypervolume, at most {trained // 2}; seeds that got there", measured, good


def _engines(subject: Subject) -> str:
    lines = subject.rows.read_text("utf-8").splitlines()
    engines = sorted({json.loads(line)["engine"] for line in lines})
    seconds = [json.loads(line)["wall_seconds"] for line in lines]
    return f"engine {', '.join(engines)}; {sum(seconds) / 3600:.1f} hours of runs"


def _head() -> str:
    chosen = plan()
    return (
        f"By `make bench-search`: {chosen['trained']} trained models a run, the built-in rules model, the ideas of the "
        f"sample papers, seeds {', '.join(map(str, chosen['seeds']))}. {chosen['reference']} {chosen['comparison']}\n\n"
        f"{chosen['schedules']} {chosen['methods']}"
    )


if __name__ == "__main__":
    sys.exit(main())
