"""A study written by hand: two methods over three seeds, the last cell under way, one not begun."""

from __future__ import annotations

from typing import get_args

from fairnad_engine.search.config_search import Method
from fairnad_engine.store import Store
from tests.tui.search_run import WrittenRun

_METHODS = get_args(Method)
METHODS = ("fairnad", "random")
SEEDS = (3, 4, 5)


def write_study(store: Store, name: str = "first", methods: tuple[str, ...] = METHODS) -> list[WrittenRun]:
    """Runs of five cells; the last one of them goes on, the sixth is not begun."""
    run = {"budget": {"trained": 40}, "data": {"dataset": "digits"}}
    store.studies.save(name, {"name": name, "methods": methods, "seeds": SEEDS, "run": run, "variants": {}})
    runs = []
    for seed in SEEDS:
        for method in methods:
            if (method, seed) == (methods[-1], SEEDS[-1]):
                continue
            written = WrittenRun(
                store, f"{name} {method}", 40, more={"search": {"method": method}} if method in _METHODS else None
            )
            written.rng.seed(f"{method} {seed}")
            store.studies.add_run(name, method, seed, written.id)
            runs.append(written)
            written.seed()
            written.generation(1)
            if (method, seed) == (methods[0], SEEDS[-1]):
                written.work()
            else:
                written.generation(2)
                written.end()
    return runs
