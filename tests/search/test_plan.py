"""The plan of a search, played whole: whatever is killed, curated and shuffled, the same run; and what settings do."""

import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fairnad_engine.knowledge.template import Template
from fairnad_engine.search.ledger import read_ledger
from fairnad_engine.search.order import PURSE_WINDOW
from fairnad_engine.search.posterior import record
from fairnad_engine.search.selection import counted
from fairnad_engine.store.records import FORGIVEN
from tests.search.playing import RUN, Designer, Verifier, play, template_of, workspace

VARIANTS = {
    "default": {},
    "refill": {"refill": True},
    "last": {"stage3_counts": "last"},
    "sequential": {"proposals": "sequential", "refill": True},
    "lookahead": {"proposals": "lookahead", "fair_unit": "trained"},
    "ahead-last": {"proposals": "lookahead", "stage3_counts": "last", "thompson": 0.3},
    "ahead-again": {"proposals": "lookahead", "refill": True},
    "trained": {"fair_unit": "trained", "thompson": 0.5},
    "scaled": {"stages": (2, 1, 1), "generation_scale": 3},
    "evolution": {"method": "evolution"},
    "nsga2": {"method": "nsga2", "stages": (6, 0, 0)},
    "random": {"method": "random", "stages": (6, 0, 0), "refill": True},
}
SMALL_MIX = {"stages": (5, 3, 2)}


def resume_until_done(store, rng, between=lambda: None, **scoring):
    """Kill at random trainings, four times at most, and go on until it ends; returns the digest."""
    for _ in range(4):
        digest = play(store, seed=rng.random(), kill_at=rng.randrange(1, 9), **scoring)
        if digest is not None:
            return digest
        between()
    return play(store, **scoring)


# -- one run, however it comes about ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_kills_and_timing_change_nothing(name, tmp_path):
    search = {**SMALL_MIX, **VARIANTS[name]}
    digests = []
    for attempt in range(2):
        with workspace(tmp_path / str(attempt), search, {"trained": 17}) as store:
            digests.append(resume_until_done(store, random.Random(attempt)) if attempt else play(store))
            candidates = store.runs.candidates(RUN)
            assert len(counted(candidates, search.get("stage3_counts", "both"))) == 17
            accepted = [c.exact_hash for c in candidates]
            assert len(set(accepted)) == len(accepted)
    assert digests[0] is not None
    assert len(set(digests)) == 1


@pytest.mark.parametrize("name", ["default", "sequential", "lookahead", "ahead-last", "scaled"])
def test_lanes_workers_and_kills_at_any_point_change_nothing(name, tmp_path):
    search = {**SMALL_MIX, **VARIANTS[name]}
    digests = set()
    for attempt, (lanes, workers) in enumerate([(1, 1), (4, 2), (4, 1), (1, 2), (64, 64)]):
        rng = random.Random(attempt)
        with workspace(tmp_path / str(attempt), search, {"trained": 33}) as store:
            digest, kills = None, 0
            while digest is None:
                # Undisturbed the first time; then killed after ever more designs, verdicts and trainings.
                steps = None if attempt == 0 else rng.randrange(1, 40) + 10 * kills
                rivals = Verifier(twins=0.5, kinds=16)  # many slots come to the same structure
                digest = play(store, seed=rng.random(), verifier=rivals, lanes=lanes, workers=workers, steps=steps)
                ledger = read_ledger(store, RUN)
                assert ledger.closes, ledger.problems
                kills += digest is None
            digests.add(digest)
            assert (kills > 1) == (attempt > 0)
            assert ledger.pending == 0
            assert ledger.cost.tokens == 110 * ledger.proposed
            assert [g.state for g in store.runs.generations(RUN)].count("done") == len(store.runs.generations(RUN)) > 2
    assert len(digests) == 1


def test_another_seed_is_another_run(tmp_path):
    found = {}
    for seed in (11, 12, 11.0):
        with workspace(tmp_path / str(seed), {"seed": int(seed)}, {"trained": 8}) as store:
            digest = play(store)
            subs = [slot.sub for slot in store.runs.slots(RUN, 1)]
            found[str(seed)] = (digest, subs, [one.exact_hash for one in store.runs.candidates(RUN)])
    assert found["11"] == found["11.0"]
    assert all(one != other for one, other in zip(found["11"], found["12"], strict=True))


def test_with_lookahead_a_generation_begins_while_the_one_before_goes_on(tmp_path):
    """And what it sees is the run as the generation before the last left it: no parent is younger."""
    under_way = {}
    for mode in ("snapshot", "lookahead"):
        with workspace(tmp_path / mode, {**SMALL_MIX, "proposals": mode}, {"trained": 40}) as store:
            seen, at_once = [], store.runs.open_generation

            def opened(run_id, number, slots, store=store, seen=seen, at_once=at_once):
                seen.append([g.number for g in store.runs.generations(run_id) if g.state != "done"])
                at_once(run_id, number, slots)

            store.runs.open_generation = opened
            assert play(store, lanes=4, workers=2) is not None
            under_way[mode] = seen
            born = {c.id: c.generation for c in store.runs.candidates(RUN)}
            behind = [s.generation - born[s.parent_id] for s in store.runs.slots(RUN) if born[s.parent_id]]
            assert min(behind) == (1 if mode == "snapshot" else 2)
    assert all(one == [] for one in under_way["snapshot"])
    assert under_way["lookahead"] == [[], *([n] for n in range(1, len(under_way["lookahead"])))]


def test_chains_take_lanes_first_and_every_first_proposal_starts_at_once(tmp_path):
    for mode in ("snapshot", "lookahead"):
        with workspace(tmp_path / mode, {**SMALL_MIX, "proposals": mode}, {"trained": 12}) as store:
            begun = []

            class Watching(Designer):
                def design(self, task, begun=begun):
                    begun.append(task.entropy)
                    return super().design(task)

            play(store, designer=Watching(0.0), verifier=Verifier(0.0), lanes=1)
            # With one lane proposals start in their order: chains, then the others; all ten before any second step.
            places = [(words[1], words[3], words[4]) for words in begun if words[1] == 1]
            assert [slot for _, slot, _ in places[:3]] == [9, 10, 1]
            assert sorted(slot for _, slot, step in places[:10] if step == 1) == list(range(1, 11))


# Seconds of a played training are large, so that those of played models and verifiers, which are real, decide nothing.
LONG = 3000.0


@pytest.mark.parametrize(
    "variant", [{}, {"proposals": "sequential", "refill": True}, {"proposals": "lookahead"}], ids=str
)
@pytest.mark.parametrize("budget", [{"hours": 24.5 * LONG / 3600}, {"tokens": 5050}], ids=str)
def test_time_and_tokens_end_a_run_where_the_stored_costs_reach_them(budget, variant, tmp_path):
    digests = []
    for attempt in range(2):
        with workspace(tmp_path / str(attempt), {**SMALL_MIX, **variant}, budget | {"trained": 1000}) as store:
            digests.append(
                resume_until_done(store, random.Random(5), seconds=LONG) if attempt else play(store, seconds=LONG)
            )
            sums = store.ledger.sums(RUN)
            # Units are begun before the costs of the last few are known: at most a window of them.
            if "hours" in budget:
                assert 25 <= sums.search_seconds / LONG <= 25 + PURSE_WINDOW - 1
            else:
                assert 5050 <= sums.prompt_tokens + sums.completion_tokens <= 5050 + PURSE_WINDOW * 9 * 110
            last = store.runs.generations(RUN)[-1].number
            before = [slot.state for slot in store.runs.slots(RUN) if slot.generation < last]
            assert set(before) <= {"trained", "failed"}
    assert digests[0] is not None
    assert len(set(digests)) == 1


def test_a_longer_time_budget_only_goes_on_with_the_run(tmp_path):
    made = []
    for models in (14.5, 30.5):
        with workspace(tmp_path / str(models), SMALL_MIX, {"hours": models * LONG / 3600, "trained": 1000}) as store:
            play(store, seconds=LONG)
            made.append([c.id for c in store.runs.candidates(RUN) if c.status == "trained"])
    assert made[0] == [one for one in made[1] if one in made[0]]
    assert len(made[1]) > len(made[0]) + 10


# -- fairness of a whole run ------------------------------------------------------------------------------------


class Curator:
    """Approves and rejects at random, so that categories empty and come back."""

    def __init__(self, store, rng):
        self.store, self.rng = store, rng

    def __call__(self):
        by_sub = {}
        for idea in self.store.ideas.all():
            by_sub.setdefault(idea.sub, []).append(idea.id)
        chosen = self.rng.sample(sorted(by_sub), k=self.rng.randrange(1, len(by_sub)))
        self.store.ideas.decide([one for sub in chosen for one in by_sub[sub]], "rejected", "person")
        back = [sub for sub in by_sub if self.rng.random() < 0.4] or [self.rng.choice(sorted(by_sub))]
        self.store.ideas.decide([one for sub in back for one in by_sub[sub]], "approved", "person")


class Model:
    """What the method says, told again: who may be drawn next, at every turn."""

    def __init__(self, trained):
        self.trained, self.turns, self.offset, self.active, self.done, self.failed = trained, {}, {}, {}, {}, {}

    def effective(self, node, opened):
        settled = self.turns.get(node, 0)
        if self.trained:
            settled = max(self.done.get(node, 0), self.failed.get(node, 0) - FORGIVEN)
        return settled + opened.get(node, 0) * self.trained + self.offset.get(node, 0)

    def end(self, turns):
        for slot in turns:
            ends = self.done if slot.state == "trained" else self.failed
            for node in (slot.main, slot.sub):
                ends[node] = ends.get(node, 0) + 1

    def enter(self, groups, opened):
        """``groups``: the active mains, and the active subs of each."""
        now = {}
        for group in groups:
            stay = [self.effective(node, opened) for node in group if node in self.active]
            come = [node for node in group if node not in self.active]
            level = min(stay) if stay else max(self.effective(node, opened) for node in come)
            now |= {node: level - (self.effective(node, opened) - self.offset.get(node, 0)) for node in come}
        self.offset |= now
        self.active = {node for group in groups for node in group}


def check_turns(store, trained=False):
    """Follow a run's stored turns one by one; returns how many were checked and what joined."""
    model, approved, checked, joined = Model(trained), [], 0, 0
    # With lookahead the ends of the generation before are not known yet.
    waiting, lag = [], store.runs.get(RUN).config["search"]["proposals"] == "lookahead"
    events = {e["generation"]: e["payload"] for e in store.runs.events(RUN) if e["kind"] == "ideas"}
    for generation in store.runs.generations(RUN):
        approved = events.get(generation.number, approved)
        subs = sorted({(main, sub) for _, main, sub in approved})
        mains = sorted({main for main, _ in subs})
        groups = [mains, *([s for m, s in subs if m == main] for main in mains)]
        joined += len({n for g in groups for n in g} - set(model.active)) if checked else 0
        while len(waiting) > lag:
            model.end(waiting.pop(0))
        opened = {}
        for node in (n for before in waiting for slot in before for n in (slot.main, slot.sub)):
            opened[node] = opened.get(node, 0) + 1
        model.enter(groups, opened)
        turns = [slot for slot in store.runs.slots(RUN, generation.number) if slot.main]
        for slot in turns:
            counts = {node: model.effective(node, opened) for group in groups for node in group}
            inside = [sub for main, sub in subs if main == slot.main]
            assert counts[slot.main] == min(counts[main] for main in mains)
            assert counts[slot.sub] == min(counts[sub] for sub in inside)
            if not trained:
                for group in groups:
                    assert max(counts[n] for n in group) - min(counts[n] for n in group) <= 1
            for node in (slot.main, slot.sub):
                model.turns[node] = model.turns.get(node, 0) + 1
                opened[node] = opened.get(node, 0) + 1
            checked += 1
        waiting.append(turns)
    return checked, joined


@pytest.mark.parametrize("unit", ["turn", "trained"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
@example(seed=852)  # one slot of Stage I beside one of Stage II: twelve turns are all there are
@example(seed=8)  # a mix of 3 and 0 slots, three times
def test_turns_are_fair_in_every_run_with_curation_failures_and_kills(unit, seed, tmp_path_factory):
    rng = random.Random(seed)
    search = {"stages": (rng.randrange(1, 10), rng.randrange(2), 0), "fair_unit": unit, "seed": seed}
    search["refill"] = rng.random() < 0.5
    search["proposals"] = rng.choice(("snapshot", "sequential", "lookahead"))
    search["generation_scale"] = seed % 3 + 1
    tree = rng.sample([sub.id for sub in Template.load().subs], rng.randrange(2, 30))
    with workspace(tmp_path_factory.mktemp("fair") / "w", search, {"trained": 20}, subs=tree) as store:
        digest = resume_until_done(store, rng, Curator(store, rng))
        assert digest is not None
        checked, _ = check_turns(store, unit == "trained")
        # Every slot of Stage I had a turn, and every model of Stage I came of one.
        assert checked == sum(slot.stage == 1 for slot in store.runs.slots(RUN))
        of_turns = sum(c.stage == 1 and c.status == "trained" for c in store.runs.candidates(RUN))
        assert checked >= of_turns > 0


def test_the_check_of_turns_can_fail(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 0, 0), "fairness": "none"}, {"trained": 30}) as store:
        play(store)
        with pytest.raises(AssertionError):
            check_turns(store)


def test_curation_is_seen_at_the_next_generation_and_categories_do_come_back(tmp_path):
    rng = random.Random(3)
    with workspace(tmp_path / "w", {"stages": (6, 0, 0)}, {"trained": 40}) as store:
        resume_until_done(store, rng, Curator(store, rng))
        checked, joined = check_turns(store)
        assert checked >= 40
        assert joined > 3
        counts = store.sampling.counts(RUN)
        assert any(count.join_offset > 0 for count in counts.values())


def test_a_category_that_never_trains_does_not_take_every_turn(tmp_path):
    template_subs = ["conv.depthwise", "norm.layer-norm", "act.smooth"]
    hopeless = "norm.layer-norm"

    class Refusing(Designer):
        def design(self, task):
            if task.idea and task.idea.sub == hopeless:
                raise self.refusal()
            return super().design(task)

        @staticmethod
        def refusal():
            from fairnad_engine.llm.protocol import DesignRefusedError

            return DesignRefusedError("inexpressible", "never")

    search = {"stages": (6, 0, 0), "fair_unit": "trained"}
    with workspace(tmp_path / "w", search, {"trained": 40}, subs=template_subs) as store:
        assert play(store, designer=Refusing(0.0), verifier=Verifier(0.0)) is not None
        turns = store.sampling.turn_outcomes(RUN)
        assert turns[hopeless].trained == 0
        assert turns[hopeless].turns > turns["conv.depthwise"].trained > 15
        assert turns[hopeless].turns <= 2 * turns["conv.depthwise"].turns + FORGIVEN + 6


def test_trained_models_come_out_more_even_than_with_turns(tmp_path):
    hard = "norm.layer-norm"

    class Half(Designer):
        def design(self, task):
            if task.idea and task.idea.sub == hard and task.entropy[1] % 2:
                from fairnad_engine.llm.protocol import DesignRefusedError

                raise DesignRefusedError("inexpressible", "in every other generation")
            return super().design(task)

    spread = {}
    for unit in ("turn", "trained"):
        search = {"stages": (6, 0, 0), "fair_unit": unit}
        subs = [hard, "conv.depthwise", "act.smooth"]
        with workspace(tmp_path / unit, search, {"trained": 40}, subs=subs) as store:
            play(store, designer=Half(0.0), verifier=Verifier(0.0))
            trained = [store.sampling.turn_outcomes(RUN)[sub].trained for sub in subs]
            spread[unit] = max(trained) - min(trained)
    # A draw does not know how its own generation ends, so that one generation's six turns may be uneven.
    assert spread["trained"] <= 6 < spread["turn"]


# -- what became of the turns ------------------------------------------------------------------------------------


def test_what_became_of_each_turn(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 2, 0)}, {"trained": 30}) as store:
        play(store)
        outcomes = store.sampling.turn_outcomes(RUN)
        slots = [slot for slot in store.runs.slots(RUN) if slot.main]
        made = {(c.generation, c.slot): c for c in store.runs.candidates(RUN) if c.stage == 1}
        front = set(store.runs.generations(RUN)[-1].front)
        template, _ = template_of(store)
        for nodes, of in (({s.id for s in template.subs}, "sub"), ({m.id for m in template.mains}, "main")):
            assert sum(outcomes[n].turns for n in nodes & outcomes.keys()) == len(slots)
            for node in nodes & outcomes.keys():
                mine = [made.get((s.generation, s.slot)) for s in slots if getattr(s, of) == node]
                got, valid = outcomes[node], [c for c in mine if c is not None]
                assert (got.turns, got.valid) == (len(mine), len(valid))
                assert got.realised == sum(c.realised == "yes" for c in valid)
                assert got.trained == sum(c.status == "trained" for c in valid)
                assert got.on_front == sum(c.id in front for c in valid)
        ideas = {idea: outcomes[idea] for slot in slots for idea in slot.ideas if idea in outcomes}
        assert sum(one.valid for one in ideas.values()) == len(made)
        assert any(one.turns > one.valid for one in ideas.values())
        assert sum(outcomes[m.id].on_front for m in template.mains if m.id in outcomes) > 0


def test_the_record_of_a_category_is_what_its_turns_brought(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 2, 0)}, {"trained": 30}) as store:
        play(store)
        slots, candidates = store.runs.slots(RUN), store.runs.candidates(RUN)
        generations = store.runs.generations(RUN)
        found = record(slots, candidates, generations)
        by_id = {c.id: c for c in candidates}
        turns = [s for s in slots if s.main and s.state in ("trained", "failed")]
        assert sum(map(sum, found.values())) == len(turns)
        good = 0
        for c in candidates:
            if c.stage == 1 and c.accuracy is not None:
                better = c.accuracy > by_id[c.parent_id].accuracy
                good += better or c.id in generations[c.generation - 1].front
        assert sum(s for s, _ in found.values()) == good > 0
