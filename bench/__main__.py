"""Every benchmark of the engine that needs no GPU: ``python -m bench`` writes ``docs/benchmarks.md``.

Each part runs in a process of its own, so that none disturbs the next; a part gives rows, or prints its own table.
``python -m bench trainer jail`` measures these parts alone and writes nothing. Exit 1 where a target is missed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

Row = tuple[str, str, str, bool]
_TITLES = {
    "trainer": "Training on the CPU",
    "input_pipeline": "Input pipeline",
    "jail": "The jail",
    "extraction": "Extraction of ideas",
    "fidelity": "Fidelity",
    "search_table": "Search",  # of runs that are kept; `make bench-search` makes them
    "pipeline": "How busy trainers are kept",
    "structuring": "Papers at the paper's scale",
    "scale": "Many GPUs, several runs",
    "large_store": "A large store",
    "gpu": "On a GPU",
}
_PART = """
import contextlib, importlib, json, sys
with contextlib.redirect_stdout(sys.stderr):
    found = importlib.import_module("bench." + sys.argv[1]).main()
if not isinstance(found, int):
    found = [[name, figure, target, bool(met)] for name, figure, target, met in found]
print(json.dumps(found))
"""
OUTPUT = Path("docs/benchmarks.md")


def main(names: list[str]) -> int:
    """Measure parts, print and write their tables; the exit status."""
    unknown = [name for name in names if name not in _TITLES]
    if unknown:
        print(f"bench: there is no part {unknown[0]!r}; choose among: {', '.join(_TITLES)}", file=sys.stderr)
        return 2
    sections, met = [], True
    for name in names or _present():
        text, good = section(name)
        print(text, flush=True)
        sections.append(text)
        met = met and good
    if not names:
        OUTPUT.write_text("\n".join([_head(), *sections]), "utf-8")
    return 0 if met else 1


def _present() -> list[str]:
    from bench.gpu import missing

    here = Path(__file__).parent
    return [name for name in _TITLES if (here / f"{name}.py").exists() and not (name == "gpu" and missing("cuda:0"))]


def section(name: str) -> tuple[str, bool]:
    """One part's heading and table in Markdown, and whether it met its targets."""
    ended = subprocess.run([sys.executable, "-c", _PART, name], capture_output=True, text=True, check=False)
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [f"exit {ended.returncode}"])[-1]
        return f"## {_TITLES[name]}\n\nnot measured: {reason}\n", False
    found = json.loads(ended.stdout)
    if isinstance(found, int):  # it printed a table of its own
        return f"## {_TITLES[name]}\n\n{ended.stderr.strip()}\n", found == 0
    return f"## {_TITLES[name]}\n\n{table([tuple(row) for row in found])}\n", all(row[3] for row in found)


def replace_section(document: str, text: str) -> str:
    """A document with one of its sections anew, or with it at the end where it had none."""
    heading = text.partition("\n")[0]
    before, found, rest = document.partition(f"{heading}\n")
    if not found:
        return f"{document.rstrip()}\n\n{text}"
    _, next_heading, after = rest.partition("\n## ")
    return before + text + (f"{next_heading}{after}" if next_heading else "")


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table; a row without a target says nothing about being met."""
    lines = ["| what | measured | target | met |", "|---|---:|---:|---|"]
    lines += [f"| {what} | {value} | {aim} | {_met(aim, good)} |" for what, value, aim, good in rows]
    return "\n".join(lines)


def _met(target: str, good: bool) -> str:
    return "" if not target else "yes" if good else "no"


def _head() -> str:
    from importlib.metadata import version

    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return (
        "# Benchmarks of the engine\n\n"
        f"By `make bench` on {machine}, torch {version('torch')}. Every ratio is of one run on one machine.\n"
        "The screens are measured apart: [benchmarks-ui.md](benchmarks-ui.md). "
        "`python -m bench.gpu` measures a machine with a GPU.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
