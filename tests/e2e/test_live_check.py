"""``live-check``: a good and a poor model told apart, what to change, and an interruption that loses nothing."""

import json
import re

import pytest
from llm_server.ollama_protocol import Answered, Behaviour, OllamaProtocol, serving

from fairnad_engine.llm.edits import EditSettings
from fairnad_engine.llm.live_check import LiveCheck
from fairnad_engine.llm.live_figures import Listening, Measured, Plan, Share, Spent
from fairnad_engine.llm.live_verdict import as_document, forecast, lines_of, verdict, wilson
from fairnad_engine.llm.models import chat_model, parse_llm
from fairnad_engine.llm.tokens import fewest_tokens, most_tokens

SMALL = Plan(3, 2, 3, 4, "digits-small", (1, 8, 8), 200_000, 20_000_000, EditSettings("catalogue"))


def told(request, document):
    whole = "".join(one["content"] for one in request["messages"])
    text = document if isinstance(document, str) else json.dumps(document)
    return Answered((text[:9], text[9:]), (fewest_tokens(whole) + most_tokens(whole)) // 2, 40)


def good(request):
    """Judges by the title, copies its quotes, and picks something that fits."""
    user, form = request["messages"][-1]["content"], request["format"]["properties"]
    if "relevant" in form:
        return told(request, {"reason": "by its title", "relevant": "Annotation" not in user})
    if "ideas" in form:
        quote = max(re.findall(r"[^.\n]+\.", user.partition("</paper>")[0]), key=len)[:400]
        sub = form["ideas"]["items"]["properties"]["sub"]["enum"][0]
        return told(request, {"ideas": [{"quote": quote, "sub": sub, "name": "It", "instruction": "Do it."}]})
    names = form["transformation"]["enum"]
    return told(request, {"reason": "it fits", "transformation": names[len(names) // 2], "arguments": {}})


def poor(request):
    """Says yes to everything, invents its quotes, and ignores the schema where a design is asked for."""
    form = request["format"]["properties"]
    if "relevant" in form:
        return told(request, "Sure: {'reason': 'why not', 'relevant': 'yes'}")
    if "ideas" in form:
        sub = form["ideas"]["items"]["properties"]["sub"]["enum"][0]
        idea = {"quote": "Nobody has ever written this.", "sub": sub, "name": "It", "instruction": "Do it."}
        return told(request, {"ideas": [idea]})
    return told(request, "I cannot write programs.")


def measured(url, plan=SMALL):
    found = Measured("ollama:tiny:1b")
    listening = Listening(found)
    listening.model = chat_model(parse_llm(f"ollama:tiny:1b@{url}"), on_text=listening.heard)
    LiveCheck(listening, found, plan).run()
    return found


@pytest.mark.slow
def test_a_good_model():
    with serving(OllamaProtocol(good)) as server:
        m = measured(server.url)
    assert (m.screened.met, m.screened.of, m.papers) == (3, 3, 2)
    assert (m.schema.value, m.whole.value, m.answered.value, m.grounded.value) == (1, 1, 1, 1)
    assert (m.passed.of, m.exportable.of, m.designed.met) == (4, 4, 4) and m.passed.met >= 3
    assert {name: one.calls for name, one in m.spent.items()} == {"screen": 3, "extract": 6, "design": 4}
    assert sum(one.written for one in m.spent.values()) == 13 * 40
    lines = {one.name: one for one in lines_of(m, SMALL)}
    assert all(lines[name].good for name in ("proposals passed", "ideas a paper", "ideas grounded"))
    library, search = forecast(m)
    assert library.calls == 71_293 and library.hours > 0
    assert search.calls >= 500 and search.hours > 0


@pytest.mark.slow
def test_a_poor_model_and_what_to_change():
    with serving(OllamaProtocol(poor)) as server:
        m = measured(server.url)
    document = as_document(m, SMALL)
    assert document["verdict"] == "not good enough"
    bad = {one["name"]: one["change"] for one in document["figures"] if one["good"] is False}
    assert {
        "replies valid by the schema",
        "abstracts judged rightly",
        "ideas grounded",
        "proposals passed",
    } <= bad.keys()
    assert "4 malformed-reply" in bad["proposals passed"] and "quotes" in bad["ideas grounded"]
    assert [one["calls"] for one in document["forecast"]] == [71_293, None]
    assert {one["purpose"]: one["calls"] for one in document["calls"]} == {"screen": 3, "extract": 6, "design": 8}
    json.dumps(document)


def test_the_verdict_by_its_figures():
    m = Measured("ollama:m")
    for share in (m.schema, m.whole, m.answered, m.screened, m.grounded, m.passed, m.realised):
        share.met, share.of = 10, 10
    m.papers, m.ideas = 3, 9
    m.spent["design"] = Spent(10, 1000, 5000, 120.0, 20.0)
    plan = Plan()
    assert verdict(lines_of(m, plan)) == "good enough"
    m.passed = Share(3, 20)
    (line,) = [one for one in lines_of(m, plan) if one.good is False]
    assert line.name == "proposals passed" and "edit_format" in line.change
    assert line.low == pytest.approx(0.052, abs=1e-3) and line.high == pytest.approx(0.360, abs=1e-3)
    m.failures["truncated-reply"] = 17
    assert "raise [model] max_reply above 8192" in next(one for one in lines_of(m, plan) if one.good is False).change
    m.too_long = 17
    assert "lower [model] max_reply" in next(one for one in lines_of(m, plan) if one.good is False).change
    m.passed = Share()
    assert verdict(lines_of(m, plan)) == "not decided"
    assert Spent(1, 100, 50, 10.0, 9.9).writing == 10.0  # it came as a whole: when it began is not seen
    assert Spent(1, 100, 50, 10.0, 6.0).writing == 4.0
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


@pytest.mark.slow
def test_the_command(fairnad):
    with serving(OllamaProtocol(poor)) as server:
        spec = f"ollama:tiny:1b@{server.url}"
        done = fairnad("live-check", "--llm", spec, "--quick")
        assert done.code == 0, done.err
        assert "Verdict: not good enough" in done.out and "- ideas grounded: 0%, wanted >= 60%" in done.out
        assert "abstract 1 of 3" in done.err and "proposal 4 of 4" in done.err
        assert len(done.out.splitlines()) <= 40
        server.requests.clear()
        server.behaviours = [*[Behaviour()] * 4, Behaviour(status=404, error="model not found")]
        lost = fairnad("llm", "live-check", "--llm", spec, "--quick", "--json")
        document = json.loads(lost.out)
        assert (
            lost.code == 3 and "has no model tiny:1b" in document["ended"] and document["verdict"] == "not good enough"
        )
        assert document["calls"][0]["calls"] == 3
    assert "built in" in fairnad("live-check", "--llm", "rules").one_line()
    assert fairnad("live-check", "--llm", spec).code == 3
    assert not list(fairnad.__closure__[0].cell_contents.glob("*.db"))


def test_an_interruption_keeps_what_was_measured(monkeypatch, capsys):
    from click.testing import CliRunner

    from fairnad_tui.commands.live_check import live_check

    def interrupted(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveCheck, "extract", interrupted)
    with serving(OllamaProtocol(good)) as server:
        done = CliRunner().invoke(live_check, ["--llm", f"ollama:tiny:1b@{server.url}", "--quick"])
    assert done.exit_code == 130
    assert "abstracts judged rightly\t100%\t3" in done.output and "proposals passed\tnot measured\t0" in done.output
    assert "Ended early: interrupted at abstract 3 of 3" in done.output and "Verdict: not decided" in done.output
