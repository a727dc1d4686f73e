"""``run --replay RUN``: a model that answers each time otherwise, and its run done again without it."""

import json
import os
import random
import re
from collections import Counter
from types import SimpleNamespace

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine.errors import InputError
from fairnad_engine.store import Store
from fairnad_tui.commands.runs import compare_with_source

pytestmark = pytest.mark.xdist_group("pipeline")

SETTINGS = """
[model]
llm = "ollama:whim:1b@{url}"
[data]
protocol = "smoke"
[budget]
trained = 3
max_params = 300_000
max_macs = 20_000_000
[search]
seed_backbone = "digits-small"
stages = [1, 0, 1]
"""
WHIM = int(os.environ.get("FAIRNAD_WHIM_SEED", "2605"))
ASKED = Counter()


def whim(request):
    """Another depth and another activation each time; some replies that are none, some programs that do not run.

    Drawn by the question and by how often it was asked, so that the test meets the same ones each time.
    """
    user, seed = request["messages"][-1]["content"], request["options"]["seed"]
    ASKED[user, seed] += 1
    mood = random.Random(f"{WHIM} {user} {seed} {ASKED[user, seed]}")
    program = re.search(r"<program>\n(.*?)\n</program>", user, re.DOTALL)[1]
    for stage in (1, 2, 3):
        extra = f"            BasicBlock(c{stage}, c{stage}),\n" * mood.randrange(3)
        program = program.replace(f"            BasicBlock(c{stage}, c{stage}),\n", extra, 1)
    program = program.replace("nn.ReLU()", f"nn.{mood.choice(['ReLU', 'GELU', 'SiLU', 'ELU', 'Hardswish'])}()")
    broken = mood.random() < 0.15
    code = program.replace("features = ", "") if broken else program
    answer = {"change": f"mood {mood.random():.3f}", "code": code}
    if "idea" in request["format"]["properties"]:
        answer["idea"] = {"name": "a whim", "instruction": f"Do {mood.random()}."}
    text = "I would rather not." if mood.random() < 0.1 else json.dumps(answer)
    return says(text, written=mood.randrange(1, 400))(request)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_that_never_answers_twice_the_same_is_replayed_without_it(fairnad, tmp_path):
    for sub in ("conv.depthwise", "act.smooth"):
        assert fairnad("ideas", "add", "--sub", sub, f"Use {sub} in every block.").code == 0
    with serving(OllamaProtocol(whim, models=("whim:1b",))) as server:
        (tmp_path / "c.toml").write_text(SETTINGS.format(url=server.url))
        first = fairnad("run", "--config", "c.toml", "--workers", 2, timeout=420)
        assert first.code == 0, first.err
        asked = len(server.requests)
    # The server is gone, an idea is gone, and another number of trainings runs at a time.
    with Store(tmp_path / "fairnad.db") as store:
        store.ideas.decide([store.ideas.all()[0].id], "rejected", "person")
    again = fairnad("run", "--replay", "run-1", "--workers", 1, timeout=420)
    assert again.code == 0, again.err
    with Store(tmp_path / "fairnad.db") as store:
        source, copy = store.runs.all()
        assert copy.digest == source.digest
        assert f"run-2 has the digest of run-1: {copy.digest}" in again.err
        assert copy.environment["replay"] == "run-1"
        tokens = [sum(one.completion_tokens for one in store.calls.totals(run.id)) for run in (source, copy)]
        assert tokens[0] == tokens[1] > 0
        assert asked == sum(one.calls for one in store.calls.totals("run-1"))


def test_another_digest_is_an_error_that_names_both():
    source, copy = SimpleNamespace(id="run-1", digest="aa"), SimpleNamespace(id="run-2", digest="bb")
    with pytest.raises(InputError, match="run-2 has digest bb, run-1 has aa") as told:
        compare_with_source(copy, source)
    assert "\n" not in str(told.value)
    compare_with_source(copy, SimpleNamespace(id="run-1", digest="bb"))


@pytest.mark.parametrize(
    "option", [("--config", "c.toml"), ("--preset", "demo"), ("--resume", "run-1"), ("--llm", "rules"), ("--seed", 0),
               ("--trained", 3)], ids=lambda one: one[0]
)  # fmt: skip
def test_a_replay_takes_its_settings_from_the_run_alone(fairnad, option):
    ended = fairnad("run", "--replay", "run-1", *option)
    assert ended.code == 2
    assert option[0] in ended.one_line()
    assert "--replay" in ended.one_line()


def test_what_cannot_be_replayed_is_one_line(fairnad, tmp_path):
    Store(tmp_path / "fairnad.db").close()
    ended = fairnad("run", "--replay", "run-1")
    assert ended.code == 2
    assert "run 'run-1' does not exist" in ended.one_line()
