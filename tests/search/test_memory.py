"""What a search remembers: outcomes, tombstones, the log of edits, its quota, and near duplicates."""

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from fairnad_engine.backbone.failures import Rung, rung_of
from fairnad_engine.backbone.verifier import Verdict
from fairnad_engine.llm.protocol import Design, EditType
from fairnad_engine.llm.rules.catalogue import TRANSFORMATIONS
from fairnad_engine.llm.rules.catalogue.draw import Draw
from fairnad_engine.llm.rules.render import render, render_code
from fairnad_engine.llm.rules.seeds import SEEDS
from fairnad_engine.search.archive import Snapshot, remember
from fairnad_engine.search.config_search import SearchSection
from fairnad_engine.search.memory import NEAR_DUPLICATE, QUOTA, EditLine, Memory, edit_counts, quota_allows
from fairnad_engine.search.novelty import Novelty
from fairnad_engine.search.sketch import similarity, sketch
from fairnad_engine.store.records import AttemptRow, CandidateRow, SlotRow

SEED = render(SEEDS["digits-small"])


def candidate(id, status="trained", **changes):
    values = {field.name: "" for field in fields(CandidateRow)}
    values.update(id=id, status=status, generation=1, slot=0, step=1, parent_id="seed", exact_hash=f"hash-{id}")
    values.update(params=10, macs=20, accuracy=90.0 if status == "trained" else None, edit_type="structural")
    return CandidateRow(**{**values, **changes})


def attempt(slot, failure=None, change="a change"):
    values = {field.name: "" for field in fields(AttemptRow)}
    values.update(generation=1, slot=slot, step=1, attempt=0, purpose="idea", failure=failure)
    return AttemptRow(**{**values, "design": {"change": change}, "message": "it broke" if failure else ""})


THE_SEED = candidate("seed", generation=0, parent_id=None, accuracy=88.0)


def test_the_last_five_outcomes_hold_failures_too():
    candidates = [THE_SEED, *(candidate(f"c{n}", slot=n) for n in (0, 2, 4, 6))]
    attempts = [attempt(n, failure="over-budget" if n % 2 else None, change=f"change {n}") for n in range(7)]
    outcomes = remember(attempts, candidates)
    assert [one.change for one in outcomes] == [f"change {n}" for n in range(2, 7)]
    assert [one.outcome.startswith("failed: over-budget: it broke") for one in outcomes] == [0, 1, 0, 1, 0]


def test_tombstones_name_what_failed_to_train_or_was_stopped():
    candidates = [
        THE_SEED,
        candidate("fine"),
        candidate("broken", "failed", failure="diverged"),
        candidate("stopped", "screened"),
        candidate("again", "failed", exact_hash="hash-broken"),
        candidate("lucky", exact_hash="hash-second"),
        candidate("unlucky", "failed", exact_hash="hash-second"),
    ]
    assert Memory(candidates).tombstones() == {"hash-broken": "broken", "hash-stopped": "stopped"}


def test_a_refusal_says_that_the_structure_was_tried_and_removed():
    known = Snapshot((THE_SEED, candidate("fine"), candidate("broken", "failed", failure="diverged")), ())
    novelty = Novelty(known, SearchSection())
    slot, design = SlotRow(**{field.name: 1 for field in fields(SlotRow)}), Design("x = 1", "c", EditType.STRUCTURAL)

    def refused(digest):
        verdict = Verdict(None, "", 1.0, 10, 20, digest, digest, "graph", "weights")
        return novelty.refusal(slot, design, verdict, THE_SEED)

    assert refused("hash-broken") == ("duplicate", "the graph equals that of broken, which was tried and removed")
    assert refused("hash-fine") == ("duplicate", "the graph equals that of fine")
    assert refused("hash-new") == (None, "")


def test_the_log_says_what_each_edit_was_and_brought():
    candidates = [
        THE_SEED,
        candidate("a", change="wider", edit_type="capacity", accuracy=90.5),
        candidate("b", "failed", change="deeper", parent_id="a", generation=2),
    ]
    log = Memory(candidates).edit_log()
    assert log == [
        EditLine(1, "a", "capacity", "wider", "trained", 2.5),
        EditLine(2, "b", "structural", "deeper", "failed", None),
    ]
    assert edit_counts(log) == {1: Counter(capacity=1), 2: Counter(structural=1)}


@pytest.mark.parametrize("quota", [0.0, 0.25, 0.5, 0.55, 1.0])
@pytest.mark.parametrize("order", range(4))
def test_a_generation_that_obeys_the_quota_meets_it(quota, order):
    slots, rng = 16, np.random.default_rng([order, 3])
    done = Counter()
    for _ in range(slots):
        wanted = str(rng.choice(["structural", "capacity", "hyper-parameter"], p=[0.1, 0.45, 0.45]))
        # What is refused is asked for anew, until it is structural.
        done[wanted if quota_allows(wanted, done, quota, slots) else "structural"] += 1
    assert done["structural"] >= quota * slots
    others = slots - done["structural"]
    assert quota or others > slots / 2
    # No stricter than it says: all that the quota leaves over went to what was wanted.
    assert quota in (0.0, 0.25) or others == slots - int(np.ceil(quota * slots))


def test_a_structural_edit_is_always_allowed():
    assert quota_allows("structural", Counter(capacity=99), 1.0, 4)


@pytest.mark.parametrize("kind", [QUOTA, NEAR_DUPLICATE])
def test_what_memory_refuses_is_proposed_anew(kind):
    assert rung_of(kind) is Rung.STRUCTURE


def memory(*sources):
    programs = {"seed": SEED, **{f"c{n}": source for n, source in enumerate(sources)}}
    return Memory([THE_SEED, *(candidate(name) for name in programs if name != "seed")], programs)


def test_other_names_words_and_comments_make_no_new_design():
    copy = SEED.replace("BasicBlock", "ResidualUnit").replace("self.stem", "self.beginning")
    copy = copy.replace('"""', '"""In other words: ', 1) + "\n# another comment\n"
    assert copy.count("ResidualUnit") > 1
    assert copy.count("self.beginning") > 1
    assert memory().near_duplicate(copy) == "seed"


def test_definitions_may_stand_in_another_order():
    one = "def a(x):\n    return x + 1\n\ndef b(x):\n    return x * 3\n"
    other = "def c(y):\n    return y * 3\n\ndef a(x: int) -> int:\n    '''Words.'''\n    return x + 1\n"
    assert similarity(sketch(one), sketch(other)) == 1.0
    assert similarity(sketch(one), sketch(other.replace("3", "2"))) < 1.0


def test_a_fraction_by_its_first_digit_a_count_as_it_is():
    text = "def a(x):\n    return f(x, {})\n"
    assert similarity(sketch(text.format("0.10")), sketch(text.format("0.1004"))) == 1.0
    assert similarity(sketch(text.format("0.1")), sketch(text.format("0.2"))) < 1.0
    assert similarity(sketch(text.format("64")), sketch(text.format("65"))) < 1.0


@pytest.mark.parametrize("name", sorted(TRANSFORMATIONS))
def test_a_single_edit_is_no_near_duplicate_of_its_parent(name):
    for n in range(6):
        change = TRANSFORMATIONS[name].apply(SEEDS["digits-small"], Draw(np.random.default_rng([9, n]), (1, 8, 8)))
        if change is not None and render_code(change.blueprint) != render_code(SEEDS["digits-small"]):
            assert memory().near_duplicate(render(change.blueprint)) is None


def test_what_was_accepted_in_this_generation_counts():
    source = SEED.replace("kernel_size=3", "kernel_size=5").replace("3, padding=1", "5, padding=2")
    assert source != SEED
    kept = memory()
    assert kept.near_duplicate(source) is None
    kept.accept("g01-s00", source)
    assert kept.near_duplicate(source + "\n") == "g01-s00"


def test_the_most_similar_one_is_named_the_first_of_equals():
    assert memory(SEED, SEED + "\n").near_duplicate(SEED) == "seed"


def test_a_source_that_is_no_python_is_left_to_the_verifier():
    assert memory("def f(:").near_duplicate("def f(:") is None
