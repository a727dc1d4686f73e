"""From a run's slots, proposals and backbones to what became of its turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import EditType
from fairnad_engine.report.turn_facts import CategoryLine, CountFacts, EditTypeLine, SamplingFacts, TurnOutcome
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.fairness import largest_difference
from fairnad_engine.search.memory import Memory, edit_counts
from fairnad_engine.search.selection import trained
from fairnad_engine.store import Store
from fairnad_engine.store.records import AttemptRow, CandidateRow, CountRow, SlotRow


def trained_beyond_seed(candidates: Sequence[CandidateRow]) -> list[CandidateRow]:
    """Trained models as the budget counts them: without the seed."""
    return [candidate for candidate in trained(candidates) if candidate.generation > 0]


def count_facts(
    slots: Sequence[SlotRow], attempts: Sequence[AttemptRow], candidates: Sequence[CandidateRow]
) -> CountFacts:
    """How proposals fared."""
    states = Counter(slot.state for slot in slots)
    ended = {name: states.get(name, 0) for name in ("trained", "screened", "failed", "cut")}
    valid = [candidate for candidate in candidates if candidate.generation > 0]
    models = trained_beyond_seed(candidates)
    tried = {(a.generation, a.slot, a.step) for a in attempts}
    return CountFacts(
        slots=len(slots),
        slots_trained=ended["trained"],
        slots_failed=ended["failed"],
        slots_cut=ended["cut"],
        slots_open=len(slots) - sum(ended.values()),
        proposals=len(attempts),
        rejected=_most_first(a.failure for a in attempts if a.failure),
        valid=len(valid),
        trained=len(models),
        training_failures=_most_first(c.failure for c in valid if c.failure),
        distinct_structures=len({c.exact_hash for c in models}),
        pass_rate=len(valid) / len(tried) if tried else None,
        proposal_pass_rate=len(valid) / len(attempts) if attempts else None,
        slots_screened=ended["screened"],
    )


def _most_first(classes: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(classes).items(), key=lambda pair: (-pair[1], pair[0])))


def sampling_facts(store: Store, run_id: str, config: RunConfig, template: Template) -> SamplingFacts:
    """Turns of each category, as they are counted and compared (method, section 3, Stage I)."""
    counts = store.sampling.compared(run_id, config.search.fair_unit)
    events = [event["payload"] for event in store.runs.events(run_id) if event["kind"] == "ideas"]
    approved = events[-1] if events else []
    ideas = Counter(node for _, main, sub in approved for node in (main, sub))

    def line(node: str, name: str, level: str, main: str | None) -> CategoryLine:
        count = counts.get(node, CountRow(node, "sub" if main else "main", 0, 0, active=False))
        return CategoryLine(
            id=node,
            name=name,
            level=level,
            main=main,
            turns=count.turns,
            join_offset=count.join_offset,
            effective=count.effective,
            active=count.active,
            ideas=ideas[node],
            trained=count.trained,
        )

    subs = tuple(line(s.id, s.name, template.level_of(s.id), s.main) for s in template.subs)
    return SamplingFacts(
        fairness=config.search.fairness,
        mains=tuple(line(m.id, m.name, m.level, None) for m in template.mains),
        subs=subs,
        largest_difference=largest_difference(counts.values()),
        subs_active=sum(sub.active for sub in subs),
        subs_with_turns=sum(sub.turns > 0 for sub in subs),
        ideas_approved=len(approved),
        ideas_used=sum(n > 0 for n in store.sampling.uses(run_id).values()),
        unit=config.search.fair_unit,
    )


def turn_outcomes(
    template: Template,
    slots: Sequence[SlotRow],
    attempts: Sequence[AttemptRow],
    candidates: Sequence[CandidateRow],
    front: set[str],
) -> tuple[TurnOutcome, ...]:
    """What the turns of each main category became; categories without a turn are left out.

    Args:
        template: The template whose main categories are counted.
        slots: The run's slots; those of Stage I are turns.
        attempts: Its proposals.
        candidates: Its verified backbones.
        front: Ids of the candidates on the Pareto front.
    """
    tried = {(a.generation, a.slot) for a in attempts}
    made = {(c.generation, c.slot): c for c in candidates}
    names = {main.id: main.name for main in template.mains}
    tally: dict[str, Counter[str]] = {main: Counter() for main in names}
    for slot in slots:
        if slot.stage != 1 or slot.main not in tally:
            continue
        count = tally[slot.main]
        place = (slot.generation, slot.slot)
        count["turns"] += 1
        count["tried"] += place in tried
        if (model := made.get(place)) is not None:
            count["valid"] += 1
            count["realised"] += model.realised == "yes"
            count["trained"] += model.status == "trained"
            count["on_front"] += model.id in front
    keys = ("turns", "tried", "valid", "realised", "trained", "on_front")
    return tuple(
        TurnOutcome(main, names[main], *(count[key] for key in keys)) for main, count in tally.items() if count
    )


def edit_type_lines(candidates: Sequence[CandidateRow]) -> tuple[EditTypeLine, ...]:
    """What edits of each type came to, the seed's not counted."""
    log = [line for line in Memory(candidates).edit_log() if line.generation > 0]
    counts = edit_counts(log)
    generations = range(1, max(counts, default=0) + 1)
    lines = []
    for kind in EditType:
        own = [line for line in log if line.edit_type == kind]
        gains = [line.gain for line in own if line.gain is not None]
        lines.append(
            EditTypeLine(
                edit_type=kind.value,
                made=len(own),
                trained=sum(line.outcome == "trained" for line in own),
                gain=sum(gains) / len(gains) if gains else None,
                best_gain=max(gains, default=None),
                by_generation=tuple(counts.get(number, Counter())[kind.value] for number in generations),
            )
        )
    return tuple(lines)
