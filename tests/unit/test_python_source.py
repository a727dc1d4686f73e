"""Python text is read as a tree in one place, which threads can use at the same time."""

import ast
import gc
import sys
import threading
from pathlib import Path

import pytest

import fairnad_engine
from fairnad_engine.python_source import parse_expression, parse_module
from fairnad_engine.resources import template_file

ENGINE = Path(fairnad_engine.__file__).parent


class Garbage:
    """Only a collection frees it, and its end runs long enough for another thread to go on meanwhile."""

    def __init__(self):
        self.me = self

    def __del__(self):
        for _ in range(50):
            pass


@pytest.fixture
def restless_threads():
    """Threads that change over within almost every call, and garbage that is collected in the midst of it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


def test_threads_parse_at_the_same_time(restless_threads):
    long = template_file("backbones", "resnet32.py").read_text("utf-8") * 3
    deep = f"x = {'(' * 50}1{')' * 50}\ny = {' + '.join(['1'] * 80)}\n" * 20
    wanted = {source: ast.dump(ast.parse(source)) for source in (long, deep)}
    failed, same = [], []

    def work(source):
        try:
            for _ in range(60):
                for _ in range(20):
                    Garbage()
                tree = parse_module(source)
            same.append(ast.dump(tree) == wanted[source])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(source,)) for source in (long, deep) * 2]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    assert same == [True] * len(threads)


def test_an_expression_is_parsed_alone():
    assert isinstance(parse_expression("a + 1").body, ast.BinOp)
    with pytest.raises(SyntaxError):
        parse_expression("a = 1")


def test_nothing_else_in_the_engine_parses():
    others = [
        path.relative_to(ENGINE)
        for path in sorted(ENGINE.rglob("*.py"))
        if path.name != "python_source.py" and "ast.parse(" in path.read_text("utf-8")
    ]
    assert others == []
