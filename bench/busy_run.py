"""A run that writes 50 rows a second, for the screens to look at: ``python -m bench.busy_run DB SECONDS``.

The rows are invented and go through the store's own methods; no training takes place.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

from fairnad_engine.activity import Activity
from fairnad_engine.resources import template_file
from fairnad_engine.search.config import load_config
from fairnad_engine.store import Store
from fairnad_engine.store.records import CountRow
from fairnad_engine.workspace import job_folder, template_of

ROWS_A_SECOND = 50
_MAINS = 15


def begin(store: Store) -> tuple[str, str]:
    """Store a run with its job, held by this process, and its seed."""
    template, version = template_of(store)
    config = load_config(template_file("presets", "demo.toml"))
    environment = {
        "protocol": {"name": "digits", "epochs": 15},
        "split_label": "own-split",
        "dataset": {"name": "digits", "shape": [1, 8, 8], "classes": 10},
        "packages": {},
        "seed_source": "",
    }
    frozen = {
        "config": config.model_dump(mode="json"),
        "environment": environment,
        "template_version": version,
        "model": "rules",
        "model_digest": "bench",
        "dataset_digest": "bench",
        "protocol_digest": "bench",
        "seed": 0,
    }
    run = store.runs.create("busy", frozen)
    job = store.jobs.create("search", frozen["config"], run.id)
    store.jobs.acquire(job.id)
    store.jobs.set_state(job.id, "running")
    store.sampling.save_counts(run.id, [CountRow(m.id, "main", 0, 0, active=True) for m in template.mains])
    store.runs.save_candidate(run.id, "seed", _candidate(0, 0, "seed"))
    _train(store, run.id, "seed", 97.0)
    return run.id, job.id


def write_for(store: Store, run_id: str, job_id: str, seconds: float) -> int:
    """Write invented candidates, attempts and epochs at a steady rate; return how many rows."""
    rng = random.Random(0)
    activity = Activity(job_folder(store.path, job_id) / "activity.json")
    rows, number, generation = 0, 0, 0
    end = time.monotonic() + seconds
    started = time.monotonic()
    while time.monotonic() < end:
        slot = number % 20 + 1
        if slot == 1:
            generation += 1
            store.runs.open_generation(run_id, generation, [_slot(n) for n in range(1, 21)])
            rows += 21
        name = f"g{generation:02d}-s{slot:02d}"
        store.runs.save_attempt((run_id, generation, slot, 1, 0), {"purpose": "idea", "task_hash": name, "source": ""})
        store.runs.save_candidate(run_id, name, _candidate(generation * 1000 + slot, generation, "idea"))
        _train(store, run_id, name, 95 + rng.random() * 4)
        store.runs.set_slot(run_id, generation, slot, "trained")
        rows += 9
        number += 1
        activity(name, f"training: epoch {number % 15}/15")
        activity.flush()
        activity(name, "")
        if slot == 20:
            store.runs.close_generation(
                run_id, generation, front=[name, "seed"], hypervolume=0.2 + generation / 1000, best=99.0, trained=20
            )
        store.jobs.beat(job_id)
        time.sleep(max(0.0, started + rows / ROWS_A_SECOND - time.monotonic()))
    return rows


def _slot(number: int) -> dict[str, Any]:
    stage = 1 if number <= 8 else 2 if number <= 16 else 3
    return {
        "slot": number,
        "stage": stage,
        "kind": "idea",
        "main": "conv",
        "sub": "conv.depthwise",
        "ideas": [],
        "parent_id": "seed",
    }


def _candidate(position: int, generation: int, kind: str) -> dict[str, Any]:
    rng = random.Random(position)
    return {
        "position": position,
        "generation": generation,
        "stage": 0 if kind == "seed" else 1,
        "slot": position % 1000,
        "step": 1,
        "kind": kind,
        "parent_id": None if kind == "seed" else "seed",
        "idea_id": None,
        "derived": None,
        "change": f"stage {position % 3 + 1}: an invented change",
        "edit_type": "structural",
        "realised": "yes",
        "source": "",
        "width": 1.0,
        "params": rng.randrange(5_000, 60_000),
        "macs": rng.randrange(50_000, 3_000_000),
        "exact_hash": f"{position:032d}",
        "width_hash": f"{position:032d}",
        "graph": "",
        "weights": "",
        "status": "verified",
        "failure": None,
        "accuracy": None,
    }


def _train(store: Store, run_id: str, name: str, accuracy: float) -> None:
    epochs = [
        {
            "epoch": e,
            "train_loss": 1 / e,
            "train_accuracy": accuracy - 5 + e,
            "validation_accuracy": accuracy - 5 + e,
            "learning_rate": 0.1,
            "seconds": 0.1,
        }
        for e in range(1, 6)
    ]
    values = {
        "purpose": "search",
        "seed": 0,
        "protocol": "digits",
        "protocol_digest": "bench",
        "status": "done",
        "accuracy": accuracy,
        "weights": None,
        "message": "",
        "seconds": 0.5,
    }
    store.runs.save_evaluation(run_id, name, values, epochs)


def main() -> None:
    """Write into a workspace for some seconds."""
    with Store(Path(sys.argv[1])) as store:
        run_id, job_id = begin(store)
        print("begun", flush=True)
        rows = write_for(store, run_id, job_id, float(sys.argv[2]))
        store.jobs.set_state(job_id, "done")
        store.jobs.release(job_id)
    print(rows, flush=True)


if __name__ == "__main__":
    main()
