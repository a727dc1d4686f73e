"""The launch form: every action, every field, what is missing, and the start of a run."""

import tomllib

import pytest
from textual.widgets import Input

from fairnad_engine import preflight, workspace
from fairnad_engine.errors import InputError, ModelUnavailableError
from fairnad_engine.preflight import Check
from fairnad_engine.search import outlook
from fairnad_engine.search.config import RunConfig, load_config
from fairnad_engine.search.costs import SeedTiming
from fairnad_engine.search.presets import presets, proposal
from fairnad_engine.store import Store
from fairnad_screens.actions import action
from fairnad_screens.data.launch_form import FIELDS, document_of, problems_of, values_of
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.figures import span
from tests.tui.harness import messages, opened, said_to, shown, wait_for


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A workspace with one approved idea, on a machine without GPU where nothing is missing."""
    monkeypatch.setattr("fairnad_engine.machine.accelerators", list)
    monkeypatch.setattr(preflight, "checks", lambda config: (Check("jail", detail="live"),))
    place = tmp_path / "w.db"
    with Store(place) as store:
        template, _ = workspace.template_of(store)
        store.ideas.add_own(template, template.subs[0].id, "Own", "Do it.")
    return place


def value(app, place):
    return next(row.value for row in app.screen._fields if row.field.place == place)


def row(app, place):
    return next(i for i, row in enumerate(app.screen._fields) if row.field.place == place)


async def go_to(app, pilot, place):
    await pilot.press("g")
    for _ in range(row(app, place)):
        await pilot.press("j")


async def test_first_it_proposes_the_demo_and_nothing_is_missing(path):
    async with opened(path, "launch") as (app, _):
        await wait_for(lambda: "Nothing is missing" in shown(app))
        assert value(app, "data.dataset") == "digits"
        assert value(app, "search.seed_backbone") == "digits-small"
        await wait_for(lambda: "1 approved" in shown(app), "the ideas")
        assert app.screen.focused is None


async def test_a_gpu_changes_the_proposal_unless_something_was_typed(path, monkeypatch):
    monkeypatch.setattr("fairnad_engine.machine.accelerators", lambda: ["Some GPU, 80 GiB"])
    async with opened(path, "launch") as (app, _):
        await wait_for(lambda: value(app, "search.seed_backbone") == "resnet32")
        assert "Some GPU" in shown(app)


async def test_the_model_of_the_command_line_is_taken(path):
    async with opened(path, "launch", llm="ollama:other") as (app, _):
        await wait_for(lambda: value(app, "model.llm") == "ollama:other")


async def test_typing_validates_beside_the_field_and_esc_gives_the_keys_back(path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await go_to(app, pilot, "budget.trained")
        await pilot.press("enter")
        assert isinstance(app.screen.focused, Input)
        await pilot.press(*"HPq")
        assert value(app, "budget.trained") == "HPq"
        assert "a whole number" in shown(app)
        assert "mend Trained models" in shown(app)
        await pilot.press("ctrl+r")
        assert any("cannot be used" in one for one in messages(app))
        await pilot.press("ctrl+u", *"1.5k")
        assert "a whole number" not in shown(app)
        await pilot.press("escape")
        assert app.screen.focused is None
        await pilot.press("H")
        assert app.screen.SCOPE == "home"


async def test_rows_are_walked_with_keys_and_stay_in_view(path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        for key, place in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", len(FIELDS)), ("g", 0)):
            await pilot.press(key)
            assert app.screen._row == place
        await pilot.press("tab")
        assert app.screen._row == 0
        assert app.screen.focused is app.screen._fields[0].control
        await pilot.press("tab", "tab", "tab")
        assert app.screen._fields[3].control.has_focus
        await pilot.press("shift+tab")
        assert app.screen._row == 2
        await pilot.press("up")
        assert app.screen._fields[1].control.has_focus
        await pilot.press("enter")
        assert app.screen._row == 2
        for _ in FIELDS:
            await pilot.press("down")
            await pilot.pause()
            here = app.screen._rows[app.screen._row]
            view = app.screen.query_one("#form").region
            assert view.y <= here.region.y < view.bottom


async def test_values_turn_and_options_are_listed(path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        assert await said_to(app, pilot, "o", "right") == ["There is no list for this one; Enter edits it."] * 2
        await go_to(app, pilot, "search.fairness")
        await pilot.press("right")
        assert value(app, "search.fairness") == "level+main+sub"
        await pilot.press("left", "left")
        assert value(app, "search.fairness") == "none"
        await pilot.press("o")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press(*"main+sub", "down", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "search.fairness") == "level+main+sub")
        await pilot.press("enter")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press("escape")
        await wait_for(lambda: app.screen.SCOPE == "launch")


async def test_the_model_is_chosen_from_what_is_served(path, monkeypatch):
    monkeypatch.setattr("fairnad_engine.llm.ollama_server.served_models", lambda: ("small:1b",))
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await pilot.press("m")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press(*"small", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "model.llm") == "ollama:small:1b")


async def test_without_a_model_server_rules_remains(path, monkeypatch):
    def gone():
        raise ModelUnavailableError("Ollama does not answer; start it with: ollama serve")

    monkeypatch.setattr("fairnad_engine.llm.ollama_server.served_models", gone)
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await pilot.press("m")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        assert "ollama serve" in shown(app)
        await pilot.press("enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "model.llm") == "rules")


async def test_a_preset_fills_the_form(path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await pilot.press("p")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press(*"small-cpu", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "budget.trained") == "20")
        assert value(app, "search.stages") == "5 3 2"


async def test_toml_is_shown_saved_and_taken_again(path, tmp_path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await pilot.press("t")
        assert 'name = "demo"' in shown(app)
        await pilot.press("pagedown", "pageup", "t")
        target = tmp_path / "mine.toml"
        for again in (False, True):
            if again:
                target.write_text("")
            await pilot.press("w")
            await wait_for(lambda: isinstance(app.screen, LineDialog))
            app.screen.query_one(Input).value = str(target)
            await pilot.press("enter")
            if again:
                await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
                await pilot.press("y")
            await wait_for(lambda: app.screen.SCOPE == "launch" and target.exists() and target.read_text())
        assert load_config(target).budget.trained == 40
        target.write_text(target.read_text().replace("trained = 40", "trained = 7"))
        await pilot.press("e")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        typed = app.screen.query_one(Input)
        await pilot.press(*str(target.with_suffix(".to")))
        await wait_for(lambda: typed._suggestion == str(target), "the completion")
        await pilot.press("right", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "budget.trained") == "7")
        await pilot.press("e")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        await pilot.press(*"gone.toml", "enter")
        await wait_for(lambda: any("gone.toml" in one for one in messages(app)))


async def test_what_is_missing_is_named_beside_the_field_too(path, monkeypatch):
    found = [Check("model", problem="Ollama does not answer; start it with: ollama serve")]
    monkeypatch.setattr(preflight, "checks", lambda config: tuple(found))
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        await wait_for(lambda: "1 missing" in shown(app))
        assert shown(app).count("does not answer") == 2
        await pilot.press("ctrl+r")
        await wait_for(lambda: any("ollama serve" in one for one in messages(app)))
        assert app.screen.SCOPE == "launch"
        with Store(path) as store:
            assert not store.runs.all()
        found[:] = [Check("model", detail="answers")]
        await pilot.press("c")
        await wait_for(lambda: "Nothing is missing" in shown(app))


async def test_without_approved_ideas_it_says_which_key_helps(tmp_path, monkeypatch):
    monkeypatch.setattr("fairnad_engine.machine.accelerators", list)
    monkeypatch.setattr(preflight, "checks", lambda config: ())
    async with opened(tmp_path / "empty.db", "launch") as (app, pilot):
        await wait_for(lambda: "P opens the papers" in shown(app))
        await pilot.press("ctrl+r")
        assert any("P opens the papers" in one for one in messages(app))


@pytest.mark.parametrize("key", ["ctrl+r", "f5", "button"])
async def test_it_launches_and_goes_to_the_search(path, monkeypatch, key):
    started = []
    monkeypatch.setattr(workspace, "start_worker", lambda store, job: started.append(job.id))
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name") and app.screen._checks is not None)
        await pilot.press(*(("G", "enter") if key == "button" else (key,)))
        await wait_for(lambda: app.screen.SCOPE == "search" and "run-1" in shown(app))
        await wait_for(lambda: started)
        assert app.selected_run == "run-1"
    with Store(path) as store:
        run = store.runs.get("run-1")
        assert RunConfig.model_validate(run.config).search.seed_backbone == "digits-small"
        assert store.jobs.get(started[0]).run_id == "run-1"


async def test_a_draft_comes_back_after_leaving(path):
    async with opened(path, "launch") as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await pilot.press("enter", "ctrl+u", *"mine", "escape", "j", "j", "ctrl+q")
    async with opened(path) as (app, _):
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "name") == "mine")
        assert app.screen._row == 2


async def test_settings_handed_over_before_it_was_ever_shown_are_taken(path):
    async with opened(path) as (app, _):
        config = RunConfig(name="again").model_dump(mode="json")
        app.goto("launch").take(config, "run-9's")
        await wait_for(lambda: app.screen.SCOPE == "launch" and app.screen._ready and value(app, "name") == "again")


def test_texts_become_the_settings_they_came_from():
    for one in presets():
        document = one.config.model_dump(mode="json")
        again = document_of(document, values_of(document))
        assert RunConfig.model_validate(again) == one.config
        assert RunConfig.model_validate(tomllib.loads(one.config.to_toml())) == one.config
    assert proposal(gpus=True).name == "resnet32"


@pytest.mark.parametrize(
    ("place", "text", "says"),
    [
        ("budget.trained", "", "whole number"),
        ("budget.trained", "0", "greater than or equal to 1"),
        ("budget.max_params", "1.23456789k", "whole number"),
        ("budget.max_macs", "many", "whole number"),
        ("search.stages", "8 8", "three whole numbers"),
        ("search.stages", "0 0 0", "three whole numbers"),
        ("search.stages", "a b c", "three whole numbers"),
        ("search.generation_scale", "0", "greater than or equal to 1"),
        ("search.generation_scale", "21", "up to 20"),
        ("search.parent_floor", "-1", "greater than or equal to 0"),
        ("search.parent_floor", "x", "a number"),
        ("machine.training_deadline", "0", "greater than 0"),
        ("model.llm", "gpt", "not a model"),
        ("name", "", "it is empty"),
        ("model.keep_alive", "soon", "such as 10m"),
        ("search.scale_up", "2", "less than or equal to 1"),
        ("search.scale_down", "-1", "greater than or equal to 0"),
        ("search.seed", "4294967296", "less than"),
        ("machine.devices", "gpu", "cuda:0"),
        ("machine.devices", "", "cuda:0"),
        ("machine.streams", "65", "1 to 64"),
        ("machine.streams", "many", "1 to 64"),
        ("fidelity.short_epochs", "-1", "greater than or equal to 0"),
    ],
)
def test_each_mistake_stands_at_its_own_field(place, text, says):
    document = RunConfig().model_dump(mode="json")
    problems = problems_of(document_of(document, {**values_of(document), place: text}))
    assert list(problems) == [place]
    assert says in problems[place]


@pytest.mark.parametrize(("text", "number"), [("1.5M", 1_500_000), ("60k", 60_000), ("1_000", 1000), ("2,000", 2000)])
def test_sizes_may_be_written_short(text, number):
    document = RunConfig().model_dump(mode="json")
    again = document_of(document, {**values_of(document), "budget.max_params": text})
    assert again["budget"]["max_params"] == number


async def test_data_sets_are_chosen_with_where_to_put_those_that_are_missing(path, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNAD_DATA", str(tmp_path / "none"))
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        await wait_for(lambda: value(app, "name"))
        await go_to(app, pilot, "data.dataset")
        await pilot.press("o")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog) and "✓ digits: 1x8x8, 10 classes" in shown(app))
        told = next(one.label for one in app.screen._choices if one.value == "cifar100")
        assert told.startswith("✗ missing: cifar100: no meta in")
        assert "unpack cifar-100-python.tar.gz in" in told
        await pilot.press(*"cifar100", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "data.dataset") == "cifar100")
        await pilot.press("o")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press(*"own images", "enter")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        await pilot.press(*"/photos", "enter")
        await wait_for(lambda: app.screen.SCOPE == "launch" and value(app, "data.dataset") == "imagefolder:/photos")


async def test_missing_data_stands_in_the_list_with_a_gpu_too(path, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNAD_DATA", str(tmp_path / "none"))
    monkeypatch.setattr("fairnad_engine.machine.accelerators", lambda: ["Some GPU, 80 GiB"])
    monkeypatch.setattr(preflight, "checks", lambda config: (preflight._try("data set", preflight._data, config),))
    async with opened(path, "launch", size=(120, 40)) as (app, _):
        await wait_for(lambda: value(app, "data.dataset") == "cifar100")
        assert value(app, "data.protocol") == "nasbench201"
        await wait_for(lambda: "1 missing" in shown(app) and "data set: cifar100: no meta in" in shown(app))


async def test_a_device_that_is_not_there_is_named_beside_its_field_and_in_the_list(path):
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        await wait_for(lambda: "Nothing is missing" in shown(app))
        await go_to(app, pilot, "machine.devices")
        await pilot.press("enter", "ctrl+u", *"cuda:1", "escape")
        await wait_for(lambda: "devices: cuda:1 is not there" in shown(app))
        assert shown(app).count("cuda:1 is not") == 2


@pytest.mark.parametrize(
    ("place", "text", "section", "name", "read"),
    [
        ("machine.devices", "cuda:0, cuda:1", "machine", "devices", ["cuda:0", "cuda:1"]),
        ("machine.devices", "auto", "machine", "devices", "auto"),
        ("machine.streams", "3", "machine", "streams", 3),
        ("machine.reserve_gib", "6.5", "machine", "reserve_gib", 6.5),
        ("machine.latency_rounds", "20", "machine", "latency_rounds", 20),
        ("machine.executor", "ray:10.0.0.7:6379", "machine", "executor", "ray:10.0.0.7:6379"),
        ("fidelity.mode", "promote", "fidelity", "mode", "promote"),
        ("fidelity.short_epochs", "8", "fidelity", "short_epochs", 8),
    ],
)
def test_devices_and_fidelity_are_settings_of_the_form(place, text, section, name, read):
    document = RunConfig().model_dump(mode="json")
    again = document_of(document, {**values_of(document), place: text})
    assert again[section][name] == read
    assert not problems_of(again)


def test_settings_of_a_run_before_fidelity_get_what_was_meant():
    document = RunConfig().model_dump(mode="json")
    del document["fidelity"], document["machine"]["streams"]
    assert RunConfig.model_validate(document_of(document, values_of(document))) == RunConfig()


async def test_a_method_sets_stage_mix_and_fairness_and_every_limit_reaches_the_settings(path):
    async with opened(path, "launch") as (app, pilot):
        await go_to(app, pilot, "search.method")
        await pilot.press("right")
        assert [value(app, f"search.{name}") for name in ("method", "stages", "fairness")] == [
            "uniform",
            "20 0 0",
            "none",
        ]
        config = app.screen._config()
        assert config.search == RunConfig.model_validate({"search": {**config.search.model_dump()}}).search
        assert config.search.settings() == {
            **proposal(gpus=False).config.search.settings(), "fairness": "none", "stages": [20, 0, 0],
        }  # fmt: skip
        await pilot.press("left")
        assert [value(app, f"search.{name}") for name in ("method", "stages", "fairness")] == [
            "fairnad",
            "8 8 4",
            "main+sub",
        ]
        for place, new, got in (
            ("search.fair_unit", "trained", "trained"), ("search.proposals", "lookahead", "lookahead"),
            ("search.stage3_counts", "last", "last"), ("search.refill", "yes", True), ("search.fit", "fill", "fill"),
            ("budget.hours", "2.5", 2.5), ("budget.tokens", "3M", 3_000_000), ("search.thompson", "0.5", 0.5),
        ):  # fmt: skip
            app.screen._set(app.screen._fields[row(app, place)], new)
            section, name = place.split(".")
            assert getattr(getattr(app.screen._config(), section), name) == got, place


async def test_every_value_of_a_choice_is_one_that_the_search_takes(path):
    closed = [field for field in FIELDS if field.closed and field.place.startswith("search.")]
    assert {"search.method", "search.fairness", "search.fit"} <= {field.place for field in closed}
    document = RunConfig().model_dump(mode="json")
    for field in closed:
        assert len(field.options()) > 1
        for option in field.options():
            values = {**values_of(document), "machine.latency_rounds": "5", field.place: option}
            assert not problems_of(document_of(document, values)), (field.place, option)


async def test_a_baseline_needs_no_ideas(path, tmp_path):
    async with opened(tmp_path / "empty.db", "launch") as (app, pilot):
        await wait_for(lambda: app.screen._snapshot is not None)
        assert "Ideas: no papers yet" in app.screen.why_not(action("launch.start"))
        app.screen._set(app.screen._fields[row(app, "search.method")], "random")
        await pilot.pause()
        assert app.screen.why_not(action("launch.start")) is None
        assert value(app, "search.stages") == "20 0 0"


def beside(app):
    """What stands beside the form, its lines joined."""
    return " ".join(" ".join(line.split("│")[-1] for line in shown(app).splitlines()).split())


TIMED = SeedTiming(30_000, 400_000, 20_000, 36.0, 2.0, "cpu")


async def test_the_forecast_says_hours_once_the_seed_is_timed(path, monkeypatch):
    asked = []
    monkeypatch.setattr(outlook, "time_seed_apart", lambda config: asked.append(config) or TIMED)
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        await wait_for(lambda: "time unknown: f forecasts" in shown(app), "the line")
        await pilot.press("f")
        await wait_for(lambda: "the seed on cpu for moments" in beside(app), "the timing")
        ahead = outlook.look_ahead(app.screen._config(), TIMED)
        assert app.screen._ahead == ahead
        text = beside(app)
        for part in ("Forecast", "40 in 2 generations or more", f"about {span(3600 * ahead.hours.middle)}", "Disk",
                     "A training", "training is the bottleneck"):  # fmt: skip
            assert part.casefold() in text.casefold(), part
        assert len(asked) == 1
        app.screen._set(app.screen._fields[row(app, "budget.trained")], "400")
        await wait_for(lambda: app.screen._ahead and app.screen._ahead.models == 400, "the new forecast")
        assert app.screen._ahead.hours.middle > 5 * ahead.hours.middle
        assert len(asked) == 1  # the number of models changes no timing
        await pilot.press("f")
        await wait_for(lambda: "Nothing is missing" in shown(app))
        app.screen._set(app.screen._fields[row(app, "search.seed_backbone")], "resnet32")
        await pilot.press("f")
        await wait_for(lambda: len(asked) == 2, "another seed is timed")


async def test_a_seed_that_cannot_be_timed_leaves_hours_unknown_and_says_why(path, monkeypatch):
    def refuse(config):
        raise InputError("the jail lacks a layer [/red]")

    monkeypatch.setattr(outlook, "time_seed_apart", refuse)
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        await pilot.press("f")
        await wait_for(lambda: "could not be timed" in beside(app), "the reason")
        text = beside(app)
        assert "[/red]" in text
        assert "unknown: nothing is known" in text
        monkeypatch.setattr(outlook, "time_seed_apart", lambda config: TIMED)
        await pilot.press("c", "f", "f")
        await wait_for(lambda: app.screen._ahead and app.screen._ahead.hours, "another try")


async def test_the_model_is_named_where_it_is_the_bottleneck(path, monkeypatch):
    monkeypatch.setattr(outlook, "time_seed_apart", lambda config: TIMED)
    async with opened(path, "launch", size=(120, 40)) as (app, pilot):
        app.screen._set(app.screen._fields[row(app, "model.llm")], "ollama:qwen3:8b")
        await pilot.press("f")
        await wait_for(lambda: "model is the bottleneck" in beside(app), "the bottleneck")
        ahead = app.screen._ahead
        assert ahead.lanes_enough > ahead.lanes == 2
        assert f"{ahead.lanes_enough} lanes would" in beside(app)


@pytest.mark.slow
def test_the_seed_is_timed_in_a_process_of_its_own():
    timing = outlook.time_seed_apart(proposal(gpus=False).config)
    assert timing.seconds > 0
    assert timing.params > 10_000
    broken = proposal(gpus=False).config
    with pytest.raises(InputError, match="nowhere"):
        data = broken.data.model_copy(update={"dataset": "nowhere"})
        outlook.time_seed_apart(broken.model_copy(update={"data": data}))
