"""How far one run and several go on many GPUs: ``python -m bench scale``.

Trainings of ten minutes on the simulated clock of :mod:`bench.pipeline`: the search, its order, lanes and store are the
program's own, and what is stored has the size that it has in a run with a chat model: programs, prompts, replies, 200
epochs. Processor time is real: what this process spends while simulated hours pass.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pipeline import Scene, VirtualLoop, World, add_ideas, add_run, busy, search, simulate
from fairnad_engine.activity import Activity
from fairnad_engine.llm.protocol import Design, DesignTask, EditType, ModelCall
from fairnad_engine.llm.rules.seeds import seed_source
from fairnad_engine.store import Store
from fairnad_engine.training.jobs import TrainingJob

Row = tuple[str, str, str, bool]
CALL, TRAINING, PASSING = 60.0, 600.0, 0.56
EPOCHS, PARAMS = 200, 464_154
_HOUR = 3600.0
_RUNS, _GPUS = 8, 64
_BEATS = 2  # a second
# GPUs of a single run, and by mode the scales that are shown: the paper's, and the one that pays.
CEILINGS: tuple[tuple[int, str, tuple[int, ...]], ...] = (
    (8, "snapshot", (1, 3)),
    (8, "lookahead", (1,)),
    (16, "snapshot", (1, 10)),
    (16, "lookahead", (1, 2)),
    (64, "snapshot", (1, 20)),
    (64, "lookahead", (1, 6)),
)


def scene(gpus: int, mode: str, scale: int, generations: int = 4) -> Scene:
    """One run on so many GPUs, with as many lanes, one training on each."""
    settings = {"proposals": mode, "generation_scale": scale}
    return Scene(CALL, TRAINING, min(gpus, 64), gpus, PASSING, generations, settings)


@dataclass
class Cluster(World):
    """GPUs that runs share, with designs and epochs of real size."""

    text: str = field(default_factory=lambda: seed_source("resnet32"))

    def design(self, task: DesignTask) -> Design:
        """A program of ResNet-32's length, and what a chat model was asked and said for it."""
        place = hashlib.sha256(repr((task.entropy, task.attempt, task.purpose)).encode()).hexdigest()
        # Each text differs in many places, as those of a model do, so that none compresses to nothing.
        source = re.sub(r"\n\n", lambda found: f"\n# {_words(place, found.start())}\n", self.text) + f"# {place}\n"
        self.loop.spend(self.scene.call * self._jitter("call" + place))
        prompt = task.parent_source + repr(task.memory) + _words(place, 0) * 20
        call = ModelCall("design", "simulated", place, len(prompt) // 4, len(source) // 4, CALL, source, prompt)
        return Design(source, f"a change {place[:8]}", EditType.STRUCTURAL, calls=(call,))

    async def _train(self, job: TrainingJob, progress: Any, seconds: float) -> None:  # noqa: ANN401
        for epoch in range(1, EPOCHS + 1):
            await asyncio.sleep(seconds / EPOCHS)
            progress(json.loads(_EPOCH_LINE % epoch))


_EPOCH_LINE = (
    '{"type": "epoch", "epoch": %d, "train_loss": 1.2345678901, "train_accuracy": 61.234567, "restored": false, '
    '"validation_accuracy": 60.123456, "learning_rate": 0.0123456789, "seconds": 3.0123456, "memory": 1234567890}'
)


def _words(seed: str, number: int) -> str:
    return hashlib.sha256(f"{seed}{number}".encode()).hexdigest()


def main() -> int:
    """Measure and print the section; the exit status."""
    from bench.__main__ import table

    rows = [*several(), *worker(), *verification()]
    print(f"{_ABOUT}\n\n{ceilings()}\n\n{table(rows)}\n\n{_WHY}")
    return 0 if all(met for *_, met in rows) else 1


def ceilings() -> str:
    """Busy GPUs and models per hour of one run, as a table."""
    lines = [
        "| GPUs of one run | proposals | generation_scale | slots | busy | models an hour | of at most |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for gpus, mode, scales in CEILINGS:
        for scale in scales:
            with tempfile.TemporaryDirectory(prefix="fairnad-scale-") as folder:
                share = busy(simulate(scene(gpus, mode, scale), Path(folder)))
            most = gpus * _HOUR / TRAINING
            figures = f"{100 * share:.0f} % | {share * most:.0f} | {most:.0f}"
            lines.append(f"| {gpus} | {mode} | {scale} | {20 * scale} | {figures} |")
    return "\n".join(lines)


def several() -> list[Row]:
    """Eight runs at a time on 64 GPUs: all for all as on Ray, or eight for each as reservations give them out."""
    rows = []
    for name, apart, mode, scale, aim in (
        ("all GPUs for all runs, lookahead", False, "lookahead", 1, 0.9),
        ("all GPUs for all runs, snapshot, generation_scale = 3", False, "snapshot", 3, 0.9),
        ("all GPUs for all runs, snapshot", False, "snapshot", 1, 0.0),
        ("eight GPUs for each run, lookahead", True, "lookahead", 1, 0.9),
        ("eight GPUs for each run, snapshot, generation_scale = 4", True, "snapshot", 4, 0.9),
        ("eight GPUs for each run, snapshot", True, "snapshot", 1, 0.0),
    ):
        share = together(mode, scale, apart=apart)
        told = f">= {100 * aim:.0f} %" if aim else ""
        rows.append((f"{_RUNS} runs on {_GPUS} GPUs, busy: {name}", f"{100 * share:.1f} %", told, share >= aim))
    return rows


def together(mode: str, scale: int, *, apart: bool) -> float:
    """Share of the GPUs' time that went into training, from the first hour until the first run ends."""
    loop = VirtualLoop()
    each = scene(_GPUS // _RUNS, mode, scale, 8)
    whole = Scene(CALL, TRAINING, each.lanes, _GPUS, PASSING, search=each.search)
    try:
        with tempfile.TemporaryDirectory(prefix="fairnad-scale-") as folder, ExitStack() as open_stores:
            path = Path(folder) / "scale.db"
            stores = [open_stores.enter_context(Store(path)) for _ in range(_RUNS)]
            for store in stores:
                store._db.execute("PRAGMA synchronous = OFF")  # nothing here must survive a power cut
            add_ideas(stores[0])
            runs = [add_run(stores[0], each, seed) for seed in range(_RUNS)]
            worlds = [World(each, loop) for _ in runs] if apart else [World(whole, loop)] * _RUNS
            ends: list[float] = []

            async def run(store: Store, run_id: str, world: World) -> None:
                await search(store, run_id, world)
                ends.append(loop.time())

            async def all_of_them() -> None:
                await asyncio.gather(*(run(*one) for one in zip(stores, runs, worlds, strict=True)))

            loop.run_until_complete(all_of_them())
        trainings = [one for world in (worlds if apart else worlds[:1]) for one in world.trainings]
        begin, end = _HOUR, min(ends)
        worked = sum(max(0.0, min(ended, end) - max(began, begin)) for _, began, ended in trainings)
        return worked / (_GPUS * (end - begin))
    finally:
        loop.close()


def worker() -> list[Row]:
    """What a run on 64 GPUs costs its worker and the store, beside its candidates' verification."""
    one = scene(_GPUS, "lookahead", 6, 3)
    loop, written = VirtualLoop(), [0]
    with tempfile.TemporaryDirectory(prefix="fairnad-scale-") as folder, Store(Path(folder) / "scale.db") as store:
        add_ideas(store)
        run_id = add_run(store, one)
        before = _size(store)
        cluster = Cluster(one, loop)
        store._db.conn.set_trace_callback(lambda statement: written.__setitem__(0, written[0] + _is_write(statement)))
        begun = time.process_time()
        loop.run_until_complete(search(store, run_id, cluster))
        spent, hours = time.process_time() - begun, loop.time() / _HOUR
        store._db.conn.set_trace_callback(None)
        loop.close()
        made = len(cluster.trainings)
        grown = (_size(store) - before) / made
        beat = _beat_seconds(store, run_id, Path(folder))
    share = spent / (hours * _HOUR) + _BEATS * beat
    writes = written[0] / (hours * _HOUR) + _BEATS
    of_run = f"worker of a run on {_GPUS} GPUs ({made / hours:.0f} models an hour)"
    growth = f"store growth per trained model: rows, with its {1 / PASSING:.1f} proposals and {EPOCHS} epochs, KB"
    return [
        (f"{of_run}: share of one core", f"{100 * share:.1f} %", "<= 50 %", share <= 0.5),
        ("of which the heartbeat, twice a second", f"{100 * _BEATS * beat:.1f} %", "", True),
        ("processor time of the search per trained model, ms", f"{1000 * spent / made:.0f}", "", True),
        ("statements of that worker that write to the store, per second, beats among them", f"{writes:.1f}", "", True),
        (growth, f"{grown / 1e3:.0f}", "", True),
    ]


def verification() -> list[Row]:
    """What a candidate costs beside the search: jail, graph, realisation; and the files it leaves."""
    from fairnad_engine.backbone.jail.client import Jail
    from fairnad_engine.backbone.realisation import judge_realised
    from fairnad_engine.backbone.verifier import Budget, Verifier, load_graph
    from fairnad_engine.search.edit_types import judge_edit
    from fairnad_engine.workspace import template_of

    own: list[float] = []
    children: list[float] = []
    for count in (1, 4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with ExitStack() as entered:
            folder = entered.enter_context(tempfile.TemporaryDirectory(prefix="fairnad-scale-"))
            store = entered.enter_context(Store(Path(folder) / "scale.db"))
            jail = entered.enter_context(Jail())
            verifier = Verifier(jail, store.files, Budget((3, 32, 32), 10, 1_500_000, 200_000_000), "down")
            template, _ = template_of(store)
            for seed in range(count):
                begun = time.process_time()
                verdict = verifier.verify(seed_source("resnet32"), 1.0, seed)
                graph = load_graph(store.files, verdict.graph)
                judge_realised(graph, graph, template.subs[0])
                judge_edit(graph, graph)
                own.append(time.process_time() - begun)
            graph_bytes, weights_bytes = (
                store.files.path(name).stat().st_size for name in (verdict.graph, verdict.weights)
            )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        children.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    jailed = (children[1] - children[0]) / 3
    files = f"{graph_bytes / 1e3:.0f} + 2 x {weights_bytes / 1e3:.0f}"
    grown = f"store growth per trained model: files of {PARAMS:,} parameters (graph, weights twice), KB"
    return [
        ("verification of ResNet-32, processor seconds: in the jail", f"{jailed:.1f}", "", True),
        ("verification of ResNet-32, processor seconds: in the worker", f"{statistics.median(own):.2f}", "", True),
        (grown, files, "", True),
    ]


def _size(store: Store) -> int:
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store.path.stat().st_size


def _is_write(statement: str) -> bool:
    return statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE", "REPLAC")


def _beat_seconds(store: Store, run_id: str, folder: Path, rounds: int = 100) -> float:
    """Processor seconds of one beat, with what is said of every training rewritten."""
    job = store.jobs.of_run(run_id)
    assert job is not None
    activity = Activity(folder / "activity.json")
    store.jobs.act_under(job.id, store.jobs.acquire(job.id))
    begun = time.process_time()
    for number in range(rounds):
        for gpu in range(_GPUS):
            activity(f"g01-s{gpu:02d}", f"training: epoch {number}/{EPOCHS}, validation 60.12 %, 1234 MiB")
        store.jobs.beat(job.id)
        store.jobs.take_requests(job.id)
        activity.flush()
    return (time.process_time() - begun) / rounds


_ABOUT = f"""\
`python -m bench scale`: the search's own scheduler and store on a simulated clock; trainings of
{TRAINING / 60:.0f} minutes, one on each GPU, model calls of {CALL:.0f} s, pass rate {PASSING}, as many lanes as
GPUs. Processor time is this machine's."""
_WHY = """\
One run keeps at most as many GPUs busy as it has slots under way. With `snapshot` a generation begins when the one
before is over: its last two trainings of each chain are one after the other, and its first proposals and their repairs
come before its first training, in all about half an hour in which most GPUs wait, whatever their number. A larger
generation pays for that wait with more work; `lookahead` has two generations under way and does not wait, as long as
both together have more slots than there are GPUs. Eight runs with a generation of the paper's each have as much to wait
for as to train on 64 GPUs; with `lookahead`, or with three to four times the slots, they fill each other's gaps.

Neither worker nor store bounds a run on 64 GPUs: at 384 models an hour verification takes the worker another 5 % of a
core, and its jails about a quarter of one. What does are slots, and the model: a trained model takes 1.8 proposals, so
that 64 GPUs want 690 an hour, 12 calls of a minute at a time."""

if __name__ == "__main__":
    sys.exit(main())
