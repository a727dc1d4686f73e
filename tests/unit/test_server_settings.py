"""How a model's server is asked: from the settings and the command line down to what is sent."""

import pytest
from click.testing import CliRunner
from llm_server import ollama_protocol, openai_protocol
from llm_server.ollama_protocol import OllamaProtocol
from llm_server.openai_protocol import OpenAIProtocol

from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.models import chat_model, make_models, parse_llm
from fairnad_engine.resources import data_folder
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.store import Store
from fairnad_tui.commands.structure import structure


@pytest.fixture
def ollama():
    with ollama_protocol.serving(OllamaProtocol(ollama_protocol.says("an answer"))) as state:
        yield state


@pytest.fixture
def job_of_command(tmp_path, monkeypatch, ollama):
    """The job that ``structure`` stores with some options; it is not carried out."""
    monkeypatch.setattr("fairnad_engine.workspace.start_worker", lambda *_: None)
    file = tmp_path / "w.db"

    def job(*options):
        with Store(file):
            pass
        command = ["--llm", f"ollama:tiny:1b@{ollama.url}", "--detach", "--db", str(file), *options]
        done = CliRunner().invoke(structure, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        with Store(file) as store:
            return RunConfig.model_validate(store.jobs.get(done.output.split()[0]).config)

    return job


def test_the_largest_context_reaches_the_models(ollama):
    config = parse_config({"model": {"max_context": 2048}}, "test")
    spec = f"ollama:tiny:1b@{ollama.url}"
    assert chat_model(parse_llm(spec), max_context=config.model.max_context).context == 2048
    make_models(spec, Template.load(), max_context=2048).reader._model.chat("s", "u", None, "x", max_tokens=9)
    assert ollama.requests[0]["options"]["num_ctx"] == 2048
    with openai_protocol.serving(OpenAIProtocol(openai_protocol.says("an answer"))) as server:
        model = chat_model(parse_llm(f"openai:{server.url}#tiny"), max_context=2048)
        assert model.context == 2048
        server.entry["max_model_len"] = 4096  # what the server says is what it has
        assert chat_model(parse_llm(f"openai:{server.url}#tiny"), max_context=2048).context == 4096


def test_the_largest_context_decides_of_an_outcome_where_it_is_set():
    small = parse_config({"model": {"max_context": 2048}}, "test")
    assert small.model.settings() == {"max_context": 2048} and RunConfig().model.settings() == {}


def test_how_ideas_are_asked_for_reaches_the_reader(ollama, job_of_command):
    assert RunConfig().papers.ask_by == "main"
    assert job_of_command().papers.ask_by == "main"
    by = job_of_command("--ask-by", "level").papers.ask_by
    models = make_models(f"ollama:tiny:1b@{ollama.url}", Template.load(), ask_by=by)
    (paper,) = read_papers(str(data_folder("sample_papers") / "2018-senet.md"))
    ollama.answer = ollama_protocol.says('{"ideas": []}')
    models.reader.extract(paper, Template.load())
    questions = [one["messages"][-1]["content"].rpartition("</paper>")[2].splitlines()[3] for one in ollama.requests]
    assert [one.split(":")[0] for one in dict.fromkeys(questions)] == [level.name for level in Template.load().levels]


def test_the_command_line_lies_over_the_defaults(job_of_command):
    assert job_of_command().model.max_context == 32768
    given = job_of_command("--max-context", "8192", "--first-token", "5", "--stall", "6", "--retry", "0").model
    assert (given.max_context, given.first_token_seconds, given.stall_seconds, given.retry_seconds) == (8192, 5, 6, 0)
