"""The kept runs of ``make bench-search`` compared: ``python -m bench.search_table`` reads them and runs nothing.

What is compared, and how, is what ``fairnad-tui study show`` does. Every method beside FairNAD counts as a baseline,
the rows of the ablation too; a row that was added after the first runs is marked so and has no target. Below stand the
runs of ``data/search-attempts.json``, where there are any, and last ``data/search-notes.md``, which a person writes:
why a target is missed, and what was tried. Exit 1 where a target is missed, or cannot be judged because pairs are
missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.search import ATTEMPTS, DATA, MAIN_PLAN, PLAN, Subject, plan, subjects
from fairnad_engine.report.study import Table, comparison_tables, interval, markdown_table
from fairnad_engine.search.compared import Comparison, Versus, compare
from fairnad_engine.search.run_record import RunRecord

RANDOM = "random"
_RIVALS = ("fairnad", RANDOM, "evolution")  # of an attempt


def main() -> int:
    """Print one comparison for each data set, with its targets, what was tried and the notes; the exit status."""
    if PLAN != MAIN_PLAN:
        print(attempts_text(PLAN) or "No run is kept yet.")
        return 0
    print(_head())
    met = True
    for subject in subjects():
        text, good = subject_text(subject, plan()["seeds"], plan()["trained"])
        print(f"\n### {subject.title}\n\n{text}")
        met = met and good
    if attempts := attempts_text(ATTEMPTS):
        print(f"\n{attempts}")
    if notes := notes_text():
        print(f"\n### Notes\n\n{notes}")
    return 0 if met else 1


def subject_text(subject: Subject, seeds: list[int], trained: int) -> tuple[str, bool]:
    """A data set's comparison with its targets, and whether all of these are met."""
    names = {name: f"{name} (added later)" for name in subject.later}
    records = [replace(one, method=names.get(one.method, one.method)) for one in subject.records()]
    found = compare(records, (*subject.methods, *names.values()))
    if not found.methods:
        return "No run is kept yet.", False
    wanted = len((*subject.methods, *names)) * len(seeds)
    parts = [f"{len(records)} of {wanted} runs; {_engines(subject)}."]
    for name, why in subject.later.items():
        parts.append(f"`{name}` was added after the first runs and is no row of the plan: {why}")
    parts += _tables((*comparison_tables(found), paired_table(records, list(names.values()), subject.methods)))
    lines = targets(found, seeds, trained, subject.methods)
    rows = [f"| {what} | {measured} | {'yes' if good else 'no'} |" for what, measured, good in lines]
    parts.append("\n".join(["| target | measured | met |\n|---|---:|---|", *rows]))
    return "\n\n".join(parts), all(good for *_, good in lines)


def attempts_text(of: str) -> str:
    """What was tried where a target is missed, in the words of its plan, and what came of it; empty without a run."""
    kept = [(subject, records) for subject in subjects(of) if (records := subject.records())]
    if not kept:
        return ""
    chosen = plan(of)
    seeds = ", ".join(map(str, chosen["seeds"]))
    parts = [
        "### What was tried where a target is missed",
        f"{chosen['about']} {chosen['trained']} trained models a run, seeds {seeds}. {chosen['comparison']}",
        chosen["methods"],
    ]
    for subject, records in kept:
        wanted = len(subject.methods) * len(chosen["seeds"])
        parts.append(f"{subject.title}: {len(records)} of {wanted} runs; {_engines(subject)}.")
        variants = [method for method in subject.methods if method not in _RIVALS]
        ends = comparison_tables(compare(records, subject.methods))[0]
        parts += _tables((ends, paired_table(records, variants, _RIVALS)))
    return "\n\n".join(parts)


def notes_text() -> str:
    """What a person wrote about the runs, kept apart so that no run of the program writes over it."""
    path = DATA / "search-notes.md"
    return path.read_text("utf-8").strip() if path.exists() else ""


def paired_table(records: Sequence[RunRecord], variants: Sequence[str], rivals: Sequence[str]) -> Table:
    """Each variant minus each of its rivals, paired over the seeds that both have finished."""
    rows = []
    for variant in variants:
        for one in compare(records, (variant, *(rival for rival in rivals if rival != variant))).versus:
            volume, best = interval(one.hypervolume, 4), interval(one.best, 2)
            rows.append((variant, one.method, str(len(one.seeds)), volume, best))
    columns = ("variant", "minus", "seeds", "hypervolume", "best val, points")
    return Table("Variants minus others, paired over seeds (95 % bootstrap interval)", columns, tuple(rows))


def _tables(tables: Sequence[Table]) -> list[str]:
    return [f"{table.title}:\n\n{markdown_table(table)}" for table in tables if table.rows]


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
