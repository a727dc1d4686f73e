"""Each setting of the search changes exactly what it names: in a run's settings, in its digest, and in its plan."""

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.preflight import check_before_start
from fairnad_engine.report.summary import summarise
from fairnad_engine.search.baselines import EDIT, POPULATION, edit_brief, plan_baseline
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.search.config_search import BASELINES, LATENCY_BATCH, METHOD_ALIASES, METHODS
from fairnad_engine.search.digest import run_digest
from fairnad_engine.search.front import front_of
from fairnad_engine.search.plan import places_of, waves_of
from fairnad_engine.search.selection import Ranking, top_by_accuracy
from tests.search.playing import RUN, Designer, Verifier, play, template_of, workspace

MIX = {"stages": (6, 4, 2)}
DEFAULTS = RunConfig().model_dump(mode="json")

# What each row of the paper's ablation differs in from the whole method (method, section 6).
ROWS = {
    "fairnad": set(),
    "uniform": {"search.fairness", "search.stages"},
    "fair": {"search.stages"},
    "fair+pareto": {"search.stages"},
    "iterative": {"search.stages"},
    "fairnad-uniform": {"search.fairness"},
    "random": {"search.stages"},
    "evolution": {"search.stages"},
    "nsga2": {"search.stages"},
    "llm-no-idea": {"search.stages"},
}
LATER = {
    "search.fair_unit": "trained",
    "search.thompson": 0.5,
    "search.refill": True,
    "search.stage3_counts": "last",
    "search.proposals": "sequential",
    "search.scale_up": 0.5,
    "search.scale_down": 0.5,
    "search.latency_objective": "image",
    "search.structural_quota": 0.5,
    "search.near_duplicates": "strict",
    "search.generation_scale": 2,
    "budget.hours": 2.0,
    "budget.tokens": 10,
}


def nested(place, value):
    section, name = place.split(".")
    given = {section: {name: value}}
    if name == "latency_objective":  # changes nothing but that there is something to select by
        given["machine"] = {"latency_rounds": 5}
    return parse_config(given, "test")


def differences(config):
    """What is not at its default, but for the timed passes that another setting needs."""
    dumped = config.model_dump(mode="json")
    return {
        f"{section}.{name}"
        for section in ("search", "budget", "model", "data", "machine", "fidelity", "papers", "curation")
        for name in dumped[section]
        if dumped[section][name] != DEFAULTS[section][name] and name != "latency_rounds"
    }


# -- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_each_row_of_the_ablation_is_one_setting_and_changes_what_it_names(method):
    config = nested("search.method", method)
    assert differences(config) - {"search.method"} == ROWS[method]


@pytest.mark.parametrize("name", ["uniform", "fair", "fair+pareto", "fairnad", "iterative", "random", "nsga2",
                                  "regularized-evolution", "stage1-only", "stage3-only", "llm-no-idea",
                                  "fairnad-uniform"])  # fmt: skip
def test_every_row_of_the_paper_and_every_baseline_goes_by_its_name(name):
    config = nested("search.method", name)
    assert config.search.method == METHOD_ALIASES.get(name, name)
    assert config == nested("search.method", METHOD_ALIASES.get(name, name))
    stages = {"stage1-only": (True, False, False), "stage3-only": (False, False, True)}
    if name in stages:
        assert tuple(slots > 0 for slots in config.search.stages) == stages[name]


def test_a_model_without_ideas_needs_a_model():
    with pytest.raises(InputError, match=r"llm-no-idea.*--llm ollama:MODEL"):
        check_before_start(parse_config({"search": {"method": "llm-no-idea"}, "model": {"llm": "rules"}}, "test"))


def test_the_rows_add_one_part_after_the_other():
    stages = {method: nested("search.method", method).search.stages for method in METHODS}
    fairness = {method: nested("search.method", method).search.fairness for method in METHODS}
    parts = {method: tuple(slots > 0 for slots in stages[method]) for method in METHODS}
    assert parts["uniform"] == parts["fair"] == (True, False, False)
    assert parts["fair+pareto"] == (True, True, False)
    assert parts["fairnad"] == (True, True, True)
    assert parts["iterative"] == (False, False, True)
    assert (fairness["uniform"], fairness["fair"]) == ("none", "main+sub")
    assert (fairness["fairnad-uniform"], stages["fairnad-uniform"]) == ("none", stages["fairnad"])
    # A generation of each makes equally many models, but for the whole method's 24 of 20 slots.
    assert {method: one[0] + one[1] + 2 * one[2] for method, one in stages.items() if method != "evolution"} == {
        **dict.fromkeys(set(METHODS) - {"evolution"}, 20),
        **dict.fromkeys(("fairnad", "fairnad-uniform"), 24),
    }


@pytest.mark.parametrize("method", METHODS)
def test_what_is_given_beside_a_method_wins(method):
    config = parse_config({"search": {"method": method, "stages": [3, 2, 1], "fairness": "sub"}}, "test")
    assert (config.search.stages, config.search.fairness) == ((3, 2, 1), "sub")


def test_a_share_of_the_parents_with_slack_is_scaled_up_and_nothing_else_changes(tmp_path):
    plans = {}
    for share in (1.0, 0.5, 0.0):
        config = {"stages": (4, 12, 0), "scale_up": share}
        with workspace(tmp_path / str(share), config, {"trained": 16}) as store:
            play(store)
            plans[share] = store.runs.slots(RUN, 1)
    kinds = {share: [one.kind for one in slots if one.stage == 2] for share, slots in plans.items()}
    assert set(kinds[1.0]) == {"scale-up"} and set(kinds[0.0]) == {"hyper-parameter"}
    assert set(kinds[0.5]) == {"scale-up", "hyper-parameter"}
    drawn = [[(one.slot, one.parent_id, one.ideas) for one in slots] for slots in plans.values()]
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_share_of_stage_two_is_scaled_down_and_nothing_else_changes(tmp_path):
    plans = {}
    for share in (0.0, 0.5, 1.0):
        with workspace(tmp_path / str(share), {"stages": (4, 12, 0), "scale_down": share}, {"trained": 16}) as store:
            play(store)
            plans[share] = store.runs.slots(RUN, 1)
    kinds = {share: [one.kind for one in slots if one.stage == 2] for share, slots in plans.items()}
    assert set(kinds[0.0]) == {"scale-up"} and set(kinds[1.0]) == {"scale-down"}
    assert set(kinds[0.5]) == {"scale-up", "scale-down"}
    drawn = [[(one.slot, one.parent_id, one.ideas) for one in slots] for slots in plans.values()]
    assert drawn[0] == drawn[1] == drawn[2]


@pytest.mark.parametrize("method", METHODS)
def test_a_frozen_run_reads_back_as_it_was(method):
    config = nested("search.method", method)
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(("place", "value"), LATER.items())
def test_each_later_setting_changes_itself_alone_and_is_silent_at_its_default(place, value):
    config = nested(place, value)
    assert differences(config) == {place}
    section, name = place.split(".")
    for told in (config.digest_settings(), config.outcome_settings()):
        assert told[section][name] == value
    for told in (RunConfig().digest_settings(), RunConfig().outcome_settings()):
        assert name not in told[section]


def test_the_digest_of_settings_that_were_there_before_is_as_it_was():
    assert RunConfig().digest_settings() == {
        "budget": {"trained": 100, "max_params": 1_500_000, "max_macs": 200_000_000},
        "dataset": "digits",
        "search": {"seed": 0, "stages": [8, 8, 4], "fairness": "main+sub", "parent_floor": 2.0, "fit": "down"},
    }


def test_a_method_that_is_only_other_settings_gives_their_digest_and_a_baseline_its_own():
    spelled = parse_config({"search": {"fairness": "none", "stages": [20, 0, 0]}}, "test")
    assert nested("search.method", "uniform").digest_settings() == spelled.digest_settings()
    whole = parse_config({"search": {"fairness": "none"}}, "test")
    assert nested("search.method", "fairnad-uniform").digest_settings() == whole.digest_settings()
    told = [str(nested("search.method", method).digest_settings()) for method in BASELINES]
    assert len({*told, str(nested("search.method", "fair").digest_settings())}) == len(BASELINES) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"method": 3},
        {"method": ["fair"]},
        {"thompson": 1.5},
        {"fair_unit": "idea"},
        {"refill": True, "stages": [201, 0, 0]},
        {"stages": [0, 0, 0], "method": "random"},
    ],
)
def test_a_wrong_value_is_an_error_in_one_line(wrong):
    with pytest.raises(InputError) as told:
        parse_config({"search": wrong}, "file.toml")
    assert str(told.value).startswith("file.toml: search")
    assert "\n" not in str(told.value)


def test_baselines_need_no_ideas():
    assert not any(nested("search.method", method).search.draws_ideas for method in (*BASELINES, "iterative"))
    assert all(
        nested("search.method", method).search.draws_ideas
        for method in ("fairnad", "uniform", "fair", "fairnad-uniform")
    )


# -- plans -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three generations or so, and what it planned, by what a setting may change."""
    made = {}

    def run(**search):
        key = repr(sorted(search.items()))
        if key not in made:
            designer = Designer(0.4)  # hard enough that slots fail in every generation
            budget = {"trained": search.pop("trained", 26)}
            folder = tmp_path_factory.mktemp("plan") / "w"
            with workspace(folder, {**MIX, **search}, budget) as store:
                play(store, designer=designer, verifier=Verifier(0.5))
                made[key] = (store.runs.slots(RUN), store.runs.candidates(RUN), designer.tasks)
        return made[key]

    return run


def first_plan(run, *names, generation=1, last=12):
    return [
        [getattr(slot, name) for name in names]
        for slot in run[0]
        if slot.generation == generation and slot.slot <= last
    ]


TURNS = ("main", "sub", "ideas")
REST = ("slot", "stage", "kind", "parent_id")


@pytest.mark.parametrize("change", [{"fairness": "none"}, {"thompson": 1.0}], ids=str)
def test_how_turns_are_drawn_changes_turns_and_nothing_else(whole, change):
    one, other = whole(), whole(**change)
    assert first_plan(one, *REST) == first_plan(other, *REST)
    assert first_plan(one, *TURNS) != first_plan(other, *TURNS)


@pytest.mark.parametrize(
    "change",
    [{"fair_unit": "trained"}, {"stage3_counts": "last"}, {"proposals": "lookahead"}, {"refill": True}],
    ids=str,
)
def test_what_counts_later_leaves_the_first_plan_as_it_was(whole, change):
    one, other = whole(), whole(**change)
    assert first_plan(one, *REST, *TURNS) == first_plan(other, *REST, *TURNS)


def test_fair_unit_changes_the_turns_of_later_generations_and_no_parent(whole):
    one, other = whole(), whole(fair_unit="trained")
    assert first_plan(one, *REST, generation=2) == first_plan(other, *REST, generation=2)
    assert first_plan(one, *TURNS, generation=2) != first_plan(other, *TURNS, generation=2)


def test_refill_gives_each_failed_slot_once_more_with_a_new_turn(whole):
    slots = whole(refill=True)[0]
    for number in range(1, max(slot.generation for slot in slots)):
        mine = [slot for slot in slots if slot.generation == number]
        failed, again = [s for s in mine[:12] if s.state == "failed"], mine[12:]
        assert [s.stage for s in again] == [s.stage for s in failed]
        assert all((s.main is not None) == (s.stage == 1) for s in again)
    assert any(slot.slot > 12 and slot.state == "trained" for slot in slots)
    assert any(slot.slot > 12 and slot.state == "failed" for slot in whole(refill=True, seed=3)[0])
    assert all(slot.slot <= 12 for slot in whole()[0])


def test_what_proposals_see(whole):
    seen = {}
    for mode in ("snapshot", "sequential", "lookahead"):
        slots, candidates, _ = whole(proposals=mode)
        generation = {c.id: c.generation for c in candidates}
        stage = {c.id: c.stage for c in candidates}
        behind = [slot.generation - generation[slot.parent_id] for slot in slots if slot.generation > 1]
        seen[mode] = min(behind)
        if mode == "sequential":
            inside = [s for s in slots if generation[s.parent_id] == s.generation]
            assert inside
            assert all(stage[s.parent_id] < s.stage for s in inside)
    assert seen == {"snapshot": 1, "sequential": 0, "lookahead": 2}


def test_a_stage_waits_for_the_one_before_where_proposals_are_sequential():
    config = parse_config({"search": {"proposals": "sequential", "stages": [3, 0, 2]}}, "test")
    assert [[place.slot for place in wave] for wave in waves_of(config)] == [[1, 2, 3], [4, 5]]
    assert waves_of(RunConfig()) == [places_of(RunConfig())]


def test_of_a_chain_one_model_or_both_count(whole):
    for counts in ("both", "last"):
        _, candidates, _ = whole(stage3_counts=counts, stages=(0, 0, 6), trained=24)
        trained = [c for c in candidates if c.status == "trained" and c.generation]
        chains = {(c.generation, c.slot) for c in trained}
        assert (len(trained) if counts == "both" else len(chains)) == 24
        assert len(trained) > len(chains)


# -- baselines ---------------------------------------------------------------------------------------------------


class Models:
    def __init__(self, candidates):
        self._candidates = candidates

    def trained(self):
        return [c for c in self._candidates if c.status == "trained"]

    def best(self):
        return top_by_accuracy(self.trained(), 5)


@pytest.fixture(scope="module")
def archive(whole):
    found = Models(whole(trained=45)[1])
    assert len(found.trained()) > 2 * POPULATION
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    with workspace(tmp_path_factory.mktemp("template") / "w") as store:
        return template_of(store)[0]


def parents(method, archive, template, draws=400):
    by_id = {c.id: c for c in archive.trained()}
    slots = plan_baseline(method, range(1, draws + 1), 3, archive, template, 0)
    return [by_id[slot["parent_id"]] for slot in slots]


def test_random_draws_from_all_models_and_evolution_from_the_youngest(archive, template):
    everyone = archive.trained()
    youngest = sorted(everyone, key=lambda c: c.position)[-POPULATION:]
    assert {c.id for c in parents("random", archive, template)} == {c.id for c in everyone}
    drawn = parents("evolution", archive, template)
    # The best of five of twenty: the four weakest never win.
    able = sorted(youngest, key=lambda c: -c.accuracy)[: POPULATION - 4]
    assert {c.id for c in drawn} <= {c.id for c in able}
    best = sum(c.id == able[0].id for c in drawn) / len(drawn)
    assert 0.15 < best < 0.35  # 5 of 20 tournaments hold the best


def test_nsga2_draws_from_the_best_by_rank_and_crowding(archive, template):
    everyone = archive.trained()
    ranking = Ranking(everyone)
    ranks = {c.id: (ranking.rank(place), -ranking.crowding(place)) for place, c in enumerate(everyone)}
    worst = sorted(ranks.values())[POPULATION - 1]
    assert all(ranks[c.id] <= worst for c in parents("nsga2", archive, template))


def test_a_model_without_ideas_is_told_to_choose_and_begins_where_stage_one_does(archive, template):
    able = {c.id for c in sorted(archive.trained(), key=lambda c: (-c.accuracy, c.macs, c.position))[:5]}
    slots = plan_baseline("llm-no-idea", range(1, 200), 3, archive, template, 0)
    assert {slot["parent_id"] for slot in slots} == able
    assert {idea for slot in slots for idea in slot["ideas"]} == {EDIT + "any"}
    brief = edit_brief(EDIT + "any", template)
    assert (brief.main, brief.sub) == ("", "")
    assert "yourself" in brief.instruction


def test_edits_are_uniform_over_the_sub_categories(archive, template):
    slots = plan_baseline("random", range(1, 2001), 1, archive, template, 1)
    counts = [sum(slot["ideas"][0] == EDIT + sub.id for slot in slots) for sub in template.subs]
    expected = 2000 / len(counts)
    # Chi-square with 54 degrees of freedom: 91.9 is the 0.999 quantile.
    assert sum((n - expected) ** 2 / expected for n in counts) < 91.9
    assert all(len(set(slot["ideas"])) == 3 and slot["main"] is None for slot in slots)
    assert edit_brief(slots[0]["ideas"][0], template).sub == slots[0]["ideas"][0].removeprefix(EDIT)


@pytest.mark.parametrize("method", BASELINES)
def test_a_baseline_has_no_idea_no_turn_and_keeps_the_accounts(method, tmp_path):
    with workspace(tmp_path / "w", {"method": method, "stages": (6, 0, 0)}, {"trained": 14}, ideas=0) as store:
        assert store.ideas.approved() == []
        assert play(store, verifier=Verifier(0.3)) is not None
        candidates = store.runs.candidates(RUN)
        assert sum(c.status == "trained" for c in candidates) == 15
        assert all(c.idea_id is None and c.derived is None for c in candidates)
        assert store.sampling.turn_outcomes(RUN) == {}
        assert store.sampling.counts(RUN) == store.sampling.uses(RUN) == {}
        judged = {"unknown"} if method == "llm-no-idea" else {"yes", "no"}
        assert {c.realised for c in candidates[1:]} == judged


def test_latency_is_an_objective_only_where_it_is_asked_for_and_everything_follows_it(tmp_path):
    fronts = {}
    for objective in ("off", "image"):
        config = {"stages": (6, 4, 0), "latency_objective": objective}
        with workspace(tmp_path / objective, config, {"trained": 20}, machine={"latency_rounds": 5}) as store:
            played = play(store, latency_batch=LATENCY_BATCH[objective])
            rows = store.runs.candidates(RUN)
            assert {c.latency is not None for c in rows if c.status == "trained"} == {objective == "image"}
            first, *_, last = store.runs.generations(RUN)
            fronts[objective] = first.front  # of the same candidates: what is selected differs only from then on
            assert last.front == tuple(c.id for c in front_of(store.live.candidates(RUN)))
            assert last.front == tuple(one.id for one in summarise(store, RUN).front)
            assert played == run_digest(store, RUN)
    assert set(fronts["image"]) > set(fronts["off"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "needs timed passes; set machine.latency_rounds"),
        ({"machine": {"latency_rounds": 5}, "fidelity": {"mode": "promote"}}, "cannot be used with fidelity.mode"),
    ],
)
def test_latency_that_cannot_be_an_objective_is_refused_with_its_place(given, told):
    with pytest.raises(InputError, match=f"test: search.latency_objective: {told}"):
        parse_config({"search": {"latency_objective": "image"}, **given}, "test")
