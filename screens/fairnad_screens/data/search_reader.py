"""Reading the live desk's snapshot: whole once, afterwards only what may have changed."""

from __future__ import annotations

from collections import Counter

from fairnad_engine import clock
from fairnad_engine.faults import remedy_of
from fairnad_engine.search.control_row import ControlFacts, control_facts
from fairnad_engine.search.front import front_of
from fairnad_engine.store import Store
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import GenerationRow, RunRow
from fairnad_engine.workspace import read_activity
from fairnad_screens.data.search import (
    Failures,
    Front,
    GenerationLine,
    RunHead,
    Screening,
    SearchSnapshot,
    StageStrip,
    Worker,
)
from fairnad_screens.data.search_counts import CountsReader
from fairnad_screens.data.search_follow import LogTail, TokenCount

_TRAILS = 3


class SearchReader:
    """Reads snapshots on the reader's thread; remembers what it read of the run that is shown."""

    def __init__(self) -> None:
        self._run: _RunReader | None = None

    def read(self, store: Store, wanted: str | None, as_of: int | None) -> SearchSnapshot:
        """Read a run, the newest where the wanted one is not there; live, or as of a generation.

        Args:
            store: The workspace.
            wanted: The run.
            as_of: The generation, None for live.
        """
        runs = tuple(store.live.runs())
        if not runs:
            self._run = None
            return SearchSnapshot(runs)
        run_id = wanted if wanted in dict(runs) else runs[-1][0]
        if self._run is None or self._run.row.id != run_id:
            self._run = _RunReader(store, store.runs.get(run_id))
        return self._run.read(store, runs, as_of)


class _RunReader:
    """What is known of one run."""

    def __init__(self, store: Store, row: RunRow) -> None:
        self.row = row
        self._lines: dict[int, CandidateLine] = {}
        self._candidates: tuple[CandidateLine, ...] = ()
        self._ideas: dict[str, str] = {}
        self._proposals: dict[tuple[int, str | None], int] = {}
        self._proposals_closed = 0
        self._counts = CountsReader(store, row)
        self._front: tuple[object, Front] | None = None
        self._shown: tuple[object, tuple[CandidateLine, ...]] | None = None
        self._tokens = TokenCount(row.id)
        self._log: LogTail | None = None
        self._control: tuple[object, ControlFacts] | None = None

    def read(self, store: Store, runs: tuple[tuple[str, str], ...], as_of: int | None) -> SearchSnapshot:
        self._read_candidates(store)
        generations = store.runs.generations(self.row.id)
        closed = max((g.number for g in generations if g.state == "done"), default=0)
        as_of = None if as_of is None or as_of > closed else as_of
        opened = max((g.number for g in generations), default=0)
        through = opened if as_of is None else as_of
        head = self._head(store)
        activity = read_activity(store.path, head.job) if head.held else {}
        if self._log is None and head.job:
            self._log = LogTail(store.path, head.job)
        candidates = self._through(through)
        return SearchSnapshot(
            runs=runs,
            head=head,
            generation=through,
            opened=opened,
            closed=closed,
            as_of=as_of,
            strips=self._strips(store, through, activity),
            screening=self._screening(store, through),
            activity=tuple(sorted(activity.items(), key=lambda item: (not item[1].startswith("training:"), item[0]))),
            tokens=self._tokens.read(store),
            counts=self._counts.read(store, through, as_of),
            generations=tuple(
                GenerationLine(g.number, g.trained, g.best_accuracy, g.hypervolume or 0.0)
                for g in generations
                if g.state == "done" and g.number <= through
            ),
            candidates=candidates,
            ideas=self._ideas,
            front=self._front_of(candidates, generations, through, closed),
            failures=self._failures(store, candidates, through, closed),
            log=self._log.read() if self._log is not None else (),
            control=self._control_row(store, (closed, head.state, store.beside.scores(self.row.id))),
        )

    def _control_row(self, store: Store, stands: object) -> ControlFacts:
        """The control row; read again only where something may have changed."""
        if self._control is None or self._control[0] != stands:
            self._control = (stands, control_facts(store, self.row.id))
        return self._control[1]

    def _head(self, store: Store) -> RunHead:
        job = store.jobs.in_hand(self.row.id)
        holder = store.jobs.holder(job.id) if job else None
        trained = [c for c in self._candidates if c.status == "trained"]
        held = job is not None and store.jobs.is_held(job.id)
        return RunHead(
            id=self.row.id,
            name=self.row.name,
            model=self.row.model,
            job=job.id if job else "",
            state="unknown" if job is None else store.jobs.living_state(job),
            message=job.message if job else "",
            remedy=remedy_of(job.fault) if job and job.state == "failed" else "",
            worker=None
            if holder is None
            else Worker(holder[0].host, holder[0].pid, holder[1], max(0.0, clock.now() - holder[1])),
            held=held,
            trained=sum(c.generation > 0 for c in trained),
            budget=store.live.budget(self.row.id),  # a run may be given more
            best=max((c.accuracy for c in trained if c.accuracy is not None), default=None),
            screened=sum(c.status == "screened" for c in self._candidates),
            counted=self._counted(),
        )

    def _counted(self) -> int:
        """Models as the budget counts them."""
        ended = [c for c in self._candidates if c.generation and c.status in ("trained", "screened")]
        if self.row.config["search"].get("stage3_counts", "both") == "both":
            return len(ended)
        return len({(c.generation, c.slot) for c in ended})

    def _screening(self, store: Store, through: int) -> Screening | None:
        fidelity = self.row.config.get("fidelity") or {}
        if fidelity.get("mode", "off") == "off":
            return None
        from fairnad_engine.search.fidelity import short_length

        epochs = short_length(int(fidelity["short_epochs"]), int(self.row.environment["protocol"]["epochs"]))
        return Screening(epochs, *store.live.screening(self.row.id, through))

    # -- candidates -------------------------------------------------------------------------------------------

    def _read_candidates(self, store: Store) -> None:
        still_open = [row for row, line in self._lines.items() if line.open]
        found = store.live.candidates(self.row.id, max(self._lines, default=0), still_open)
        changed = {line.row: line for line in found if self._lines.get(line.row) != line}
        if not changed:
            return
        self._lines.update(changed)
        self._candidates = tuple(sorted(self._lines.values(), key=lambda line: line.position))
        unnamed = {c.idea_id for c in changed.values() if c.idea_id} - self._ideas.keys()
        if unnamed:
            # A new mapping: snapshots that were given out before stay as they were.
            self._ideas = {**self._ideas, **store.live.idea_names(unnamed)}

    def _through(self, generation: int) -> tuple[CandidateLine, ...]:
        """The candidates up to a generation; the same tuple again where nothing changed."""
        key = (generation, self._candidates)
        if self._shown is None or self._shown[0] != key:
            self._shown = (key, tuple(c for c in self._candidates if c.generation <= generation))
        return self._shown[1]

    def _front_of(
        self, candidates: tuple[CandidateLine, ...], generations: list[GenerationRow], through: int, closed: int
    ) -> Front:
        key = (candidates, through, closed)
        if self._front is None or self._front[0] != key:
            fronts = {g.number: g.front for g in generations if g.state == "done"}
            fronts[0] = tuple(c.id for c in candidates if c.generation == 0 and c.status == "trained")
            front = tuple(c.id for c in front_of(candidates))
            before = [fronts[n] for n in sorted(fronts) if n < through]
            old = set(before[-1]) if before else set()
            trained = tuple(c for c in candidates if c.status == "trained" and c.accuracy is not None)
            self._front = (key, Front(trained, front, frozenset(front) - old, tuple(before[-_TRAILS:])))
        return self._front[1]

    # -- progress, counts, failures ---------------------------------------------------------------------------

    def _strips(self, store: Store, generation: int, activity: dict[str, str]) -> tuple[StageStrip, ...]:
        stages: dict[int, list[str]] = {}
        known = {(c.slot): c.status for c in self._candidates if c.generation == generation}
        for slot in store.runs.slots(self.row.id, generation) if generation else ():
            state = slot.state
            if state == "pending":
                name = f"g{generation:02d}-s{slot.slot:02d}"
                doing = [text for subject, text in activity.items() if subject.partition(".")[0] == name]
                state = _slot_state(doing, known.get(slot.slot))
            stages.setdefault(slot.stage, []).append(state)
        return tuple(StageStrip(stage, tuple(states)) for stage, states in sorted(stages.items()))

    def _failures(self, store: Store, candidates: tuple[CandidateLine, ...], through: int, closed: int) -> Failures:
        self._proposals_closed = min(self._proposals_closed, closed)  # a run that is given more reopens its last one
        # A class may empty again while its generation runs, but not after it ended.
        for key in [key for key in self._proposals if key[0] > self._proposals_closed]:
            del self._proposals[key]
        for generation, failure, number in store.live.proposals(self.row.id, self._proposals_closed):
            self._proposals[generation, failure] = number
        self._proposals_closed = closed
        counts: Counter[str | None] = Counter()
        for (generation, failure), number in self._proposals.items():
            if generation <= through:
                counts[failure] += number
        trainings = Counter(c.failure or "failed" for c in candidates if c.status == "failed")
        rejected = Counter({failure: n for failure, n in counts.items() if failure})
        return Failures(counts.total(), _ranked(rejected), _ranked(trainings))


def _slot_state(doing: list[str], status: str | None) -> str:
    if any(text.startswith("training: epoch") for text in doing):
        return "training"
    if doing and not any(text.startswith("training:") for text in doing):
        return "designing"
    return "verified" if status in ("verified", "training") or doing else "waiting"


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
