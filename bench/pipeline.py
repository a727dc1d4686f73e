"""How busy trainers are kept, by the search's own scheduler on a simulated clock.

:class:`fairnad_engine.search.loop.Search` runs as it is, with its slots, order, lanes and store; designer, verifier and
trainers only say how long they take. The event loop's clock jumps to the next moment at which something happens, so
hours pass in seconds and a figure is the same on every machine.

``python -m bench pipeline`` prints the section; exit 1 where a target is missed.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import selectors
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from fairnad_engine.backbone.verifier import Budget, Verdict
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import Design, DesignTask, EditType, IdeaDraft
from fairnad_engine.search import slot as slot_module
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import SearchSection
from fairnad_engine.search.control import Control
from fairnad_engine.search.edit_types import Edit
from fairnad_engine.search.forecast import Pipeline
from fairnad_engine.search.loop import Search
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.store import Store
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.workspace import template_of

Row = tuple[str, str, str, bool]
_GENERATIONS = 6
_JITTER = 0.2  # durations vary by this share to either side


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while nothing can be done; threads' work is done at once and takes time."""

    def __init__(self) -> None:
        self._now = self._spent = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Simulated seconds."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def spend(self, seconds: float) -> None:
        """Say, inside a thread's work, that it takes so long."""
        self._spent += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override] # noqa: ANN401
        """Do a thread's work now and give its result when its time has passed."""
        self._spent = 0.0
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            self.call_later(self._spent, future.set_exception, error)
        else:
            self.call_later(self._spent, future.set_result, result)
        return future


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:  # noqa: ANN401
        if timeout is None:
            raise RuntimeError("everything waits for something that never happens")
        self._loop.jump(timeout)
        return super().select(0)


@dataclass(frozen=True)
class Scene:
    """What is simulated: seconds of a proposal and of a training, lanes, streams, share of proposals that pass."""

    call: float
    training: float
    lanes: int
    streams: int
    passing: float = 1.0
    generations: int = _GENERATIONS
    search: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """Designer, verifier and executor of a scene; remembers which training ran when."""

    scene: Scene
    loop: VirtualLoop
    trainings: list[tuple[str, float, float]] = field(default_factory=list)
    name: str = "simulated"

    def __post_init__(self) -> None:
        self._free, self._asked = self.scene.streams, 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def design(self, task: DesignTask) -> Design:
        """A design that differs from every other."""
        source = repr((task.entropy, task.attempt, task.purpose.value))
        self.loop.spend(self.scene.call * self._jitter("call" + source))
        return Design(source, "a change", EditType.STRUCTURAL)

    def verify(self, source: str, width: float, seed: int) -> Verdict:
        """Pass by chance, decided by the source."""
        if source != "seed" and _chance("pass" + source) >= self.scene.passing:
            return Verdict("forward", "simulated")
        digest = hashlib.sha256(source.encode()).hexdigest()
        return Verdict(None, "", width, 500_000, 60_000_000, digest, digest, "graph", "weights")

    async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:  # noqa: ANN401
        """Hold a stream for as long as a training takes."""
        seconds = self.scene.training * self._jitter("train" + job.id)
        await self._stream(job.rank)
        started = self.loop.time()
        await self._train(job, progress, seconds)
        self.trainings.append((job.id.split("/")[1], started, self.loop.time()))
        if self._waiting:
            heapq.heappop(self._waiting)[2].set_result(None)
        else:
            self._free += 1
        return TrainingOutcome("done", accuracy=60 + 20 * _chance(job.id), weights="weights", seconds=seconds)

    async def _train(self, job: TrainingJob, progress: Any, seconds: float) -> None:  # noqa: ANN401
        """Let a training's time pass."""
        await asyncio.sleep(seconds)

    async def _stream(self, rank: int) -> None:
        """Wait for a stream as the executor has it: the lowest rank first, equals in turn."""
        if self._free:
            self._free -= 1
            return
        turn = self.loop.create_future()
        self._asked += 1
        heapq.heappush(self._waiting, (rank, self._asked, turn))
        await turn

    async def close(self) -> None:
        """Nothing is open."""

    def _jitter(self, text: str) -> float:
        return 1 - _JITTER + 2 * _JITTER * _chance(text)


def _chance(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def simulate(scene: Scene, folder: Path, on_store: Callable[[Store, str], None] | None = None) -> World:
    """Run a search of some whole generations and return when what was trained."""
    loop = VirtualLoop()
    try:
        with Store(folder / "simulated.db") as store:
            store._db.execute("PRAGMA synchronous = OFF")  # nothing here must survive a power cut
            add_ideas(store)
            run_id = add_run(store, scene)
            if on_store:
                on_store(store, run_id)
            world = World(scene, loop)
            loop.run_until_complete(search(store, run_id, world))
            return world
    finally:
        loop.close()


async def search(store: Store, run_id: str, world: World) -> None:
    """Run a search to its end in a simulated world."""
    control = Control()
    template, _ = template_of(store)
    run = store.runs.get(run_id)
    scorer = Scorer(
        store,
        run_id,
        run.seed,
        world,
        dataset="digits",
        protocol=load_protocol("smoke"),
        deadline=1e9,
        control=control,
        activity=lambda subject, doing: None,
    )
    config = RunConfig.model_validate(run.config)
    whole = Search(
        store,
        run_id,
        store.jobs.create("search", run.config, run_id).id,
        template=template,
        designer=world,
        verifier=world,  # type: ignore[arg-type]
        scorer=scorer,
        control=control,
        budget=Budget((1, 8, 8), 10, config.budget.max_params, config.budget.max_macs),
        seed_source="seed",
        activity=lambda subject, doing: None,
    )
    # Nothing was built, so there are no graphs to compare.
    with mock.patch.multiple(
        slot_module,
        load_graph=lambda *_: None,
        judge_realised=lambda *_: "unknown",
        judge_edit=lambda *_: Edit(EditType.STRUCTURAL),
    ):
        await whole.run()


def add_ideas(store: Store) -> None:
    """Fill a workspace with one approved idea for each sub-category."""
    template, _ = template_of(store)
    store.papers.add(PaperText("simulated", "A paper", (), None, "", "", "", "text", "x.md", ()))
    drafts = [
        IdeaDraft(sub.main, sub.id, f"idea of {sub.id}", f"Use {sub.id}.", "text", (0, 4)) for sub in template.subs
    ]
    store.ideas.file_extracted("simulated", drafts, template, "simulated")
    store.ideas.decide([idea.id for idea in store.ideas.all()], "approved", "policy:all")


def add_run(store: Store, scene: Scene, seed: int = 0) -> str:
    """Add a run of ``scene.generations`` generations, where no slot fails."""
    per_generation = Pipeline.models_of(SearchSection.model_validate(scene.search).slots)
    config = RunConfig.model_validate(
        {
            "model": {"llm": "rules", "lanes": scene.lanes},
            "budget": {"trained": round(per_generation * scene.generations)},
            "search": {**scene.search, "seed": seed},
        }
    )
    frozen = {
        "config": config.model_dump(mode="json"),
        "environment": {"seed_source": "seed"},
        "template_version": template_of(store)[1],
        "model": "simulated",
        "model_digest": "",
        "dataset_digest": "",
        "protocol_digest": "",
        "seed": seed,
    }
    return store.runs.create("simulated", frozen).id


def busy(world: World) -> float:
    """Share of the streams' time that went into training, from the second generation's begin to the last's."""
    last = max(name[:3] for name, _, _ in world.trainings if name.startswith("g"))
    begins = {g: min(s for name, s, _ in world.trainings if name.startswith(g)) for g in ("g02", last)}
    start, end = begins["g02"], begins[last]
    worked = sum(max(0.0, min(ended, end) - max(began, start)) for _, began, ended in world.trainings)
    return worked / (world.scene.streams * (end - start))


def pipeline_of(scene: Scene) -> Pipeline:
    """The same scene as the forecast sees it."""
    return Pipeline(scene.lanes, scene.streams, scene.call, scene.training, scene.passing)


def main() -> int:
    """Measure and print the section; the exit status."""
    from bench.__main__ import table

    rows = measure()
    print(f"{_ABOUT}\n\n{table(rows)}\n\n{_WHY}")
    return 0 if all(met for *_, met in rows) else 1


def measure() -> list[Row]:
    """Each row's name, figure, target and whether it was met."""
    rows: list[Row] = []
    for name, scene, targets in SCENES:
        for mode, aim in targets.items():
            seen = replace(scene, search={"proposals": mode})
            with tempfile.TemporaryDirectory(prefix="fairnad-pipeline-") as folder:
                share = busy(simulate(seen, Path(folder)))
            told = f">= {100 * aim:.0f} %" if aim else ""
            rows.append((f'trainers busy, proposals = "{mode}": {name}', f"{100 * share:.0f} %", told, share >= aim))
    even = Scene(60, 60, lanes=8, streams=8, passing=0.56)
    pipeline = pipeline_of(even)
    ends = (
        pipeline.bottleneck == "model"
        and pipeline_of(Scene(60, 60, lanes=pipeline.lanes_enough, streams=8, passing=0.56)).bottleneck == "training"
    )
    figure = f"{pipeline.bottleneck}; {pipeline.lanes_enough} lanes end it"
    rows.append(("bottleneck by the forecast, call to training 1:1, 8 lanes, 8 streams", figure, "model, lanes", ends))
    return rows


# By mode the share that is aimed at, 0 where a row only shows what lanes can and cannot do.
SCENES: tuple[tuple[str, Scene, dict[str, float]], ...] = (
    (
        "2 workers, 2 s proposals, 4 s trainings, 4 lanes",
        Scene(2, 4, lanes=4, streams=2),
        {"snapshot": 0.0, "lookahead": 0.90},
    ),
    (
        "2 workers, 2 s proposals, 4 s trainings, 8 lanes",
        Scene(2, 4, lanes=8, streams=2),
        {"snapshot": 0.90, "lookahead": 0.90},
    ),
    (
        "8 streams, call to training 1:3, pass rate 0.56, 16 lanes",
        Scene(60, 180, 16, 8, passing=0.56),
        {"snapshot": 0.0, "lookahead": 0.85},
    ),
    (
        "8 streams, call to training 1:3, pass rate 0.56, 64 lanes",
        Scene(60, 180, 64, 8, passing=0.56),
        {"snapshot": 0.0},
    ),
)
_ABOUT = """\
`python -m bench pipeline`: the search's own scheduler on a simulated clock, from the second generation's begin to the
last one's. `snapshot` is the paper's form; `lookahead` is the mode for slow models."""
_WHY = """\
With `snapshot` no proposal of a generation is made before the last training of the one before has ended. On 2 workers a
generation's 24 trainings are twelve in a row, which outweigh that wait once 8 lanes make it short. On 8 streams they
are only three in a row, so that the wait at each generation's end (proposals and their repairs before the first
training, the chains' second steps behind the last) is as long as two of them, and no number of lanes ends it: only
`lookahead` does, whose proposals never wait."""


if __name__ == "__main__":
    sys.exit(main())
