"""Search methods at equal numbers of trained models: ``make bench-search``.

What is run, with which seeds and against which reference, stands in ``data/search-plan.json``, which was committed
before the first run. Every (data set, method, seed) is one real run of the engine: jail, verifier, trainer, store, the
built-in rules model, the ideas of the sample papers. A finished run becomes one line of ``data/search-NAME.jsonl`` and
is never run again, so that the benchmark may be stopped at any point and go on days later; it goes seed by seed, all
methods of a seed first, so that what is there is paired. One run at a time, one training beside one verification, one
torch thread each.

Where a candidate's time goes (seconds of one core, the seed backbone of 30,000 parameters): about 2.0 to verify it in
the jail (build, trace, export, truth checks), 0.02 to design it, 0.7 (digits) or 1.9 (Fashion-MNIST) to train it. The
training runs beside the next verification, so that the jail decides how long a run takes.

``FAIRNAD_BENCH_PLAN=search-attempts`` carries out ``data/search-attempts.json`` instead, on seeds of its own: what is
tried where a target is missed. Its rows stand in the same section, below those of the plan, and what a person has to
say about them, which is kept in ``data/search-notes.md``, below both.

A variant that a data set's ``later`` names, with the reason, is a row too, run after all that was planned from the
start; it is marked as added after the first runs and has no target.

``python -m bench.search`` runs what is missing and says how many hours that takes; ``--table`` only compares what is
there. Both write the section "Search" of ``docs/benchmarks.md``; exit 1 where a target is missed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w

from fairnad_engine.errors import FairnadError, InputError
from fairnad_engine.search.run_record import RunRecord, record_of
from fairnad_engine.search.study_config import StudyConfig, parse_study
from fairnad_engine.search.study_runs import open_cell, papers_job, start_and_wait
from fairnad_engine.store import Store
from fairnad_engine.training.datasets import dataset_state, load_split

DATA = Path(__file__).parent / "data"
WORK = Path(os.environ.get("FAIRNAD_BENCH_FOLDER", ".bench-search"))
MAIN_PLAN = "search-plan"
ATTEMPTS = "search-attempts"  # what was tried where targets are missed
PLAN = os.environ.get("FAIRNAD_BENCH_PLAN", MAIN_PLAN)
_GET_FASHION = (
    "apt-get download dataset-fashion-mnist, unpack it with dpkg -x, put its four files into "
    "DATA/FashionMNIST/raw and name DATA in FAIRNAD_DATA"
)


@dataclass(frozen=True)
class Subject:
    """A data set of a plan, with its methods as planned before the first run, and why others were added ``later``."""

    name: str
    title: str
    methods: tuple[str, ...]
    settings: dict[str, Any]
    plan: str = MAIN_PLAN

    @property
    def later(self) -> dict[str, str]:
        """Methods and variants that were added after the first runs, with the reason."""
        return {name: one["why"] for name, one in self.settings.get("later", {}).items()}

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """What each variant sets, those added later included."""
        added = self.settings.get("later", {}).items()
        return {**self.settings.get("variants", {}), **{name: one["set"] for name, one in added if "set" in one}}

    @property
    def rows(self) -> Path:
        """Where its finished runs are kept."""
        return DATA / f"{self.plan.removesuffix('-plan')}-{self.name}.jsonl"

    @property
    def workspace(self) -> Path:
        """Where its runs are carried out."""
        return (WORK if self.plan == MAIN_PLAN else WORK / self.plan) / self.name / "study.db"

    def records(self) -> list[RunRecord]:
        """Its finished runs."""
        if not self.rows.exists():
            return []
        return [RunRecord.from_json(json.loads(line)) for line in self.rows.read_text("utf-8").splitlines()]


def plan(name: str = PLAN) -> dict[str, Any]:
    """A committed plan."""
    document: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return document


def subjects(of: str = PLAN) -> list[Subject]:
    """The data sets of a plan."""
    found = plan(of)["subjects"].items()
    return [Subject(name, one["title"], tuple(one["methods"]), one, of) for name, one in found]


def missing_data(subject: Subject) -> str:
    """Why a data set cannot be used here; empty where it can."""
    if "images_each" not in subject.settings:
        return ""
    state = dataset_state("fashion-mnist")
    return "" if state.found else f"{state.why}; to get it: {_GET_FASHION}"


def study_of(subject: Subject) -> StudyConfig:
    """The study that the plan describes; writes its protocol, and its images where they are a subset."""
    chosen = plan()
    WORK.mkdir(parents=True, exist_ok=True)
    protocol = WORK.resolve() / f"{chosen['protocol']['name']}.toml"
    protocol.write_text(tomli_w.dumps(chosen["protocol"]), "utf-8")
    data = {**subject.settings["data"], "protocol": str(protocol)}
    if each := subject.settings.get("images_each"):
        data["dataset"] = f"imagefolder:{_images(WORK.resolve() / f'{subject.name}-images', each)}"
    run = {
        "papers": {"sources": ["samples"]},
        "model": {"llm": "rules", "lanes": 1},
        "data": data,
        "budget": {"trained": chosen["trained"], **subject.settings["budget"]},
        # As the first of these runs had it, whatever a study's default is.
        "search": {"seed_backbone": chosen["seed_backbone"], "seeds_by": "place", "control": "finish"},
        "machine": {"workers": 1, "devices": ["cpu"]},
    }
    methods = [*subject.methods, *subject.later]
    document = {"name": subject.name, "methods": methods, "seeds": chosen["seeds"], "run": run}
    document["variants"] = subject.variants
    return parse_study(document, f"{PLAN}.json", WORK)


def _images(folder: Path, each: int) -> Path:
    """Write the first images of each class of Fashion-MNIST's training file; the folder appears when it is whole."""
    import numpy as np
    from PIL import Image

    if folder.exists():
        return folder
    data = load_split("fashion-mnist", "train")
    labels = np.asarray(data.labels)
    partial = folder.with_name(f"{folder.name}.partial")
    for label in range(10):
        (partial / str(label)).mkdir(parents=True, exist_ok=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:each]):
            Image.fromarray(np.asarray(data.images[index])[0]).save(partial / str(label) / f"{number:03}.png")
    return partial.rename(folder)


def run_missing() -> None:
    """Carry out every run of the plan that is not there, seed by seed over both data sets; later rows last."""
    studies: list[tuple[Subject, StudyConfig]] = []
    for subject in subjects():
        problem = missing_data(subject)
        if problem:
            print(f"{subject.name}: skipped: {problem}", flush=True)
        else:
            studies.append((subject, study_of(subject)))
    seeds = plan()["seeds"]
    wanted = [(*one, method, seed) for seed in seeds for one in studies for method in one[0].methods]
    wanted += [(*one, method, seed) for seed in seeds for one in studies for method in one[0].later]
    done = {(subject.name, one.method, one.seed) for subject, _ in studies for one in subject.records()}
    left = [one for one in wanted if (one[0].name, *one[2:]) not in done]
    seconds = plan()["seconds_a_run"]
    hours = len(left) * seconds / 3600
    print(f"{len(done)} of {len(wanted)} runs are there; the others take about {hours:.1f} hours", flush=True)
    engine_digest()
    for subject, study, method, seed in left:
        started = time.monotonic()
        record = _run(study, subject, method, seed)
        check_pairs(subject.records(), record, subject.rows)
        seconds = round(time.monotonic() - started, 1)
        line = {**record.to_json(), "wall_seconds": seconds, "engine": engine_digest()}
        with subject.rows.open("a", encoding="utf-8") as rows:
            rows.write(json.dumps(line, separators=(",", ":")) + "\n")
        best = max(model.accuracy for model in (record.start, *record.models))
        print(f"{subject.name} {method} {seed}: best {best:.2f} %, {seconds:.0f} s", flush=True)


def check_pairs(kept: Iterable[RunRecord], record: RunRecord, rows: Path) -> None:
    """See that a run's seed backbone scored as in the runs that it is to be paired with.

    The same settings train to other scores where the processor (its vector instructions) or the engine is another.

    Raises:
        InputError: It did not; the run is not to be kept.
    """
    for one in kept:
        if one.seed == record.seed and one.start.accuracy != record.start.accuracy:
            raise InputError(
                f"seed {record.seed}: the seed backbone scores {record.start.accuracy:.2f} % here and "
                f"{one.start.accuracy:.2f} % in the row of {one.method}, which another kind of processor or another "
                f"engine made; go on where that row was made, or remove the rows of seed {record.seed} from {rows.name}"
            )


@cache
def engine_digest() -> str:
    """Hash of the engine's source as this process found it: rows of different engines should not be mixed unseen."""
    import fairnad_engine

    digest = hashlib.sha256()
    for path in sorted(Path(fairnad_engine.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _run(study: StudyConfig, subject: Subject, method: str, seed: int) -> RunRecord:
    """One run, from where an earlier call left it; its workspace holds all runs of the data set."""
    with Store(subject.workspace) as store:
        papers = papers_job(store, study.cell(method, seed))
        if papers is not None:
            start_and_wait(store, papers)
            papers_job(store, study.cell(method, seed))
        store.studies.save(study.name, study.model_dump(mode="json"))
        job = start_and_wait(store, open_cell(store, study, method, seed))
        record = record_of(store, job.run_id or "", method)
    if job.state != "done" or record is None:
        raise SystemExit(f"{subject.name} {method} {seed}: {job.state}: {job.message}")
    return record


def main(arguments: list[str]) -> int:
    """Run what is missing, compare, write the section of the docs; the exit status."""
    from bench.__main__ import OUTPUT, replace_section, section

    try:
        if "--table" not in arguments:
            run_missing()
    except FairnadError as error:
        print(f"bench.search: {error}", file=sys.stderr)
        return error.exit_code
    text, met = section("search_table")
    print(text)
    if PLAN == MAIN_PLAN:  # the attempts' rows are printed with the plan's
        OUTPUT.write_text(replace_section(OUTPUT.read_text("utf-8"), text), "utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
