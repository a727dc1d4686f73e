"""Ideas that a run tried, written by hand."""

from __future__ import annotations

from fairnad_engine.store import Store
from tests.tui.search_run import WrittenRun


def try_ideas(store: Store, scores: dict[str, list[float | None]], front: int = 1) -> WrittenRun:
    """A run in whose first generation each idea made the models of these scores; None is one that failed.

    The seed has 90 %; the best ``front`` models of ideas stand on the front.
    """
    run = WrittenRun(store)
    run.seed()
    run.open(1)
    made: list[tuple[float, str]] = []
    slots = iter(range(1, 100))
    for idea, all_scores in scores.items():
        for score in all_scores:
            slot = next(slots)
            key = (run.id, 1, slot, 1, 0)
            values = {"purpose": "idea", "idea_id": idea, "task_hash": "t", "failure": None, "message": ""}
            if score is None:
                store.runs.save_attempt(key, {**values, "failure": "forward"})
                continue
            store.runs.save_attempt(key, values)
            name = f"g01-s{slot:02d}"
            run.candidate(name, 1, slot, 1, idea_id=idea)
            run.train(name, score)
            made.append((score, name))
    best = [name for _, name in sorted(made, reverse=True)[:front]]
    store.runs.close_generation(run.id, 1, front=best, hypervolume=0.3, best=95.0, trained=len(made))
    return run
