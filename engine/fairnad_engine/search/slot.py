"""One slot of a generation: propose, verify, train, and again for the second step of a chain.

Every costly step is stored under its place in the run before it is used, and looked up before it is made. A slot is
therefore replayed from its beginning after an interruption and continues where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from fairnad_engine.backbone.failures import Rung, rung_of
from fairnad_engine.backbone.graph import BackboneGraph
from fairnad_engine.backbone.realisation import judge_realised
from fairnad_engine.backbone.verifier import Verdict, load_graph
from fairnad_engine.llm.protocol import Design, DesignTask, Failure, IdeaBrief, Outcome, Purpose
from fairnad_engine.search.baselines import EDIT
from fairnad_engine.search.control import StopRequestedError
from fairnad_engine.search.edit_types import judge_edit
from fairnad_engine.search.order import Unit
from fairnad_engine.search.proposals import Generation, Proposal, Proposer, candidate_name, candidate_position
from fairnad_engine.search.scoring import Readable
from fairnad_engine.search.seeds import entropy
from fairnad_engine.search.selection import counted
from fairnad_engine.store.knowledge_records import Derivation
from fairnad_engine.store.records import CandidateRow, SlotRow

MAX_DEBUGS = 2
MAX_DOWNSCALES = 4
MAX_REROLLS = 2


async def run_slots(shared: Generation, slots: Sequence[SlotRow]) -> list[SlotRun]:
    """Run slots beside each other to their ends; chains, which take longest, take lanes first.

    What is decided, and in which order, is the order of units' alone, so that this changes no outcome.

    Raises:
        Exception: What ended one of them; the others are ended then.
    """
    runs = [SlotRun(shared, slot) for slot in sorted(slots, key=lambda one: (one.stage != 3, one.slot))]
    results = await asyncio.gather(*(one.run() for one in runs), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    # A stop is the consequence of an error where there is one; the error is what the user needs to see.
    for error in sorted(errors, key=lambda e: isinstance(e, StopRequestedError)):
        raise error
    return runs


class SlotRun:
    """Runs one slot to its end."""

    def __init__(self, generation: Generation, slot: SlotRow) -> None:
        self._g = generation
        self._slot = slot
        self._proposer = Proposer(generation, slot)
        self._steps = 2 if slot.stage == 3 else 1
        self._tried: list[str] = []
        self._failure: str | None = None

    @property
    def ideas_tried(self) -> list[str]:
        """Alternates that were tried beyond the turn's own idea."""
        return [one for one in self._tried[1:] if not one.startswith(EDIT)]

    async def run(self) -> None:
        """Run every step and record how the slot ended."""
        first = await self._step(1, self._candidate(self._slot.parent_id), ())
        second: CandidateRow | None = None
        trained = first is not None and first.status == "trained"
        cut = first is None and self._failure == "cut"
        if self._steps == 2 and not cut:
            parent = first if first is not None and trained else self._candidate(self._slot.parent_id)
            second = await self._step(2, parent, self._own_memory(first))
        elif self._steps == 2:
            await self._g.order.finish(self._unit(2), False)
        ends = [one.status for one in (first, second) if one is not None]
        state = next((one for one in ("trained", "screened") if one in ends), "cut" if cut else "failed")
        failure = self._failure if state in ("cut", "failed") else None
        self._g.store.runs.set_slot(self._g.run_id, self._g.number, self._slot.slot, state, failure)

    async def _step(self, step: int, parent: CandidateRow, extra: tuple[Outcome, ...]) -> CandidateRow | None:
        unit = self._unit(step)
        candidate: CandidateRow | None = None
        try:
            if await self._g.order.admitted(unit):
                candidate = await self._propose(unit, parent, extra)
            else:
                self._failure = self._failure or "cut"
            if candidate is not None:
                await self._g.order.settle(unit)
                candidate = await self._g.scorer.train(candidate, lambda window: self._earlier(unit, window))
                self._failure = candidate.failure
        except BaseException:
            # The unit is undecided, so no later one may decide either: the run goes on from here when it resumes.
            await self._g.order.abort()
            raise
        await self._g.order.finish(unit, candidate is not None and bool(counted([candidate])))
        return candidate

    def _unit(self, step: int) -> Unit:
        return Unit(self._g.number, self._slot.slot, step)

    async def _earlier(self, unit: Unit, window: int) -> Readable:
        """What a decision about ``unit`` may read."""
        over = await self._g.order.earlier(unit, window)
        return lambda one: one.generation < self._g.since or (one.generation, one.slot, one.step) in over

    async def _propose(self, unit: Unit, parent: CandidateRow, extra: tuple[Outcome, ...]) -> CandidateRow | None:
        """Return a verified, new candidate, stored; or None when the slot has nothing more to try."""
        attempt = 0
        for idea in self._ideas(parent):
            if idea is not None and self._slot.stage == 1:
                self._tried.append(idea.id)
            tries = dict.fromkeys(Rung, 0)
            task = self._task(unit.step, parent, idea, extra)
            while True:
                task = replace(task, attempt=attempt, entropy=self._entropy(unit, attempt))
                proposal = await self._proposer.make(unit, task, parent, attempt)
                failure = proposal.verdict.failure
                if failure is None:
                    await self._g.order.my_turn(unit)
                    design = proposal.design
                    assert design is not None  # noqa: S101 - what was verified is a design
                    design, resized = self._judged(design, proposal, parent)
                    failure, message = self._g.novelty.refusal(self._slot, design, proposal.verdict, parent, resized)
                    if failure is None:
                        return self._accept(unit, design, proposal, parent)
                    proposal = replace(proposal, verdict=Verdict(failure, message))
                    self._record_failure(unit, attempt, failure, message)
                self._failure = failure
                attempt += 1
                rung = rung_of(failure)
                tries[rung] += 1
                next_task = self._next_task(task, proposal, rung, tries[rung])
                if next_task is None:
                    break
                task = next_task
        if not self._slot.ideas and self._slot.stage == 1:
            self._failure = "no-idea"
        return None

    def _ideas(self, parent: CandidateRow) -> Iterator[IdeaBrief | None]:
        """What the slot may try: the turn's ideas, the parent's idea to derive from, or no idea."""
        if self._slot.stage == 1:
            yield from (self._g.idea_briefs(one) for one in self._slot.ideas)
        elif self._slot.stage == 3:
            yield self._idea_of(parent)
        else:
            yield None

    def _idea_of(self, candidate: CandidateRow) -> IdeaBrief | None:
        """The idea that made a candidate, or its nearest ancestor's."""
        current: CandidateRow | None = candidate
        while current is not None:
            if current.derived:
                return IdeaBrief(**current.derived)
            if current.idea_id:
                return self._g.idea_briefs(current.idea_id)
            current = self._candidate(current.parent_id) if current.parent_id else None
        return None

    def _task(self, step: int, parent: CandidateRow, idea: IdeaBrief | None, extra: tuple[Outcome, ...]) -> DesignTask:
        budget = self._g.budget
        return DesignTask(
            purpose=Purpose(self._slot.kind),
            parent_source=parent.source,
            idea=idea,
            input_shape=budget.input_shape,
            num_classes=budget.num_classes,
            max_params=budget.max_params,
            max_macs=budget.max_macs,
            parent_params=parent.params,
            parent_macs=parent.macs,
            entropy=(),
            memory=(*self._g.snapshot.memory, *extra),
        )

    def _next_task(self, task: DesignTask, last: Proposal, rung: Rung, times: int) -> DesignTask | None:
        """What to ask for after a failure, or None to give this idea up (method, section 4)."""
        failure = Failure(last.verdict.failure or "", last.verdict.message)
        original = task.original or task.purpose
        # Edits that did not fit leave what they were to mend as it was.
        previous = last.design.source if last.design else task.previous_source
        derived = last.design.derived if last.design else task.derived
        base = replace(task, failure=failure, previous_source=previous, derived=derived)
        if rung is Rung.EXECUTION and times <= MAX_DEBUGS:
            return replace(base, purpose=Purpose.DEBUG, original=original)
        if rung is Rung.BUDGET and times <= MAX_DOWNSCALES:
            return replace(base, purpose=Purpose.DOWNSCALE, original=original)
        if rung is Rung.STRUCTURE and times <= MAX_REROLLS:
            return replace(base, purpose=original, original=None)
        return None

    def _record_failure(self, unit: Unit, attempt: int, failure: str, message: str) -> None:
        key = (self._g.run_id, self._g.number, unit.slot, unit.step, attempt)
        self._g.store.runs.save_attempt(key, {"failure": failure, "message": message})

    def _judged(self, design: Design, proposal: Proposal, parent: CandidateRow) -> tuple[Design, str]:
        """The design with the type of edit that it came to, and how it was resized, in words.

        A run that began before edits were judged keeps the types that were proposed.
        """
        if not self._g.judges_edits:
            return design, ""
        edit = judge_edit(*self._graphs(parent, proposal.verdict))
        resized = edit.resized(
            fitted=proposal.verdict.width != parent.width * design.width_factor,
            downscaled=proposal.purpose is Purpose.DOWNSCALE,
        )
        return replace(design, edit_type=edit.edit_type), resized

    def _graphs(self, parent: CandidateRow, verdict: Verdict) -> tuple[BackboneGraph, BackboneGraph]:
        return load_graph(self._g.store.files, parent.graph), load_graph(self._g.store.files, verdict.graph)

    def _accept(self, unit: Unit, design: Design, proposal: Proposal, parent: CandidateRow) -> CandidateRow:
        g, verdict = self._g, proposal.verdict
        candidate_id = candidate_name(g.number, self._slot, unit.step)
        idea = proposal.idea if self._slot.stage == 1 else None
        told = idea or design.derived
        realised = "unknown"
        if told is not None and told.sub:
            realised = judge_realised(*self._graphs(parent, verdict), g.template.sub(told.sub))
        g.novelty.accept(candidate_id, self._slot, design, verdict)
        with g.store.transaction():
            if design.derived is not None and design.derived.sub:
                self._keep_derived(candidate_id, design.derived, proposal.idea, parent)
            g.store.runs.save_candidate(
                g.run_id,
                candidate_id,
                {
                    "position": candidate_position(unit),
                    "generation": g.number,
                    "stage": self._slot.stage,
                    "slot": unit.slot,
                    "step": unit.step,
                    "kind": self._slot.kind,
                    "parent_id": parent.id,
                    "idea_id": idea.id if idea and not idea.id.startswith(EDIT) else None,
                    "derived": asdict(design.derived) if design.derived else None,
                    "change": design.change,
                    "edit_type": design.edit_type.value,
                    "realised": realised,
                    "source": design.source,
                    **verdict.measured(),
                    "status": "verified",
                    "failure": None,
                    "accuracy": None,
                },
            )
        return self._candidate(candidate_id)

    def _keep_derived(self, candidate_id: str, idea: IdeaBrief, origin: IdeaBrief | None, parent: CandidateRow) -> None:
        """Store a derived idea in the library, undecided, with where it came from."""
        ancestry = Derivation(
            self._g.run_id, candidate_id, parent.id, self._slot.kind, (origin.id or None) if origin else None
        )
        level = self._g.template.level_of(idea.sub)
        self._g.store.ideas.add_derived(idea, level, ancestry)

    def _own_memory(self, first: CandidateRow | None) -> tuple[Outcome, ...]:
        if first is None:
            return (Outcome(self._slot.kind, "step 1", f"failed: {self._failure}"),)
        if first.status == "screened":
            return (Outcome(self._slot.kind, first.change, "not better than what is there"),)
        score = f"{first.accuracy:.2f} %" if first.accuracy is not None else f"failed: {first.failure}"
        return (Outcome(self._slot.kind, first.change, score),)

    def _candidate(self, candidate_id: str | None) -> CandidateRow:
        found = self._g.store.runs.candidate(self._g.run_id, candidate_id or "")
        assert found is not None  # noqa: S101 - parents are chosen among stored candidates
        return found

    def _entropy(self, unit: Unit, attempt: int) -> tuple[int, ...]:
        return entropy(self._g.run_seed, self._g.number, self._slot.stage, unit.slot, unit.step, attempt, "design")
