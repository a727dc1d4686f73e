"""Workers on a workspace that is worked on in a local copy."""

import json


def test_a_workspace_that_begins_in_a_local_copy_is_worked_on_and_comes_home(fairnad, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "paper.md").write_text(
        "# Wide kernels\n\n## Abstract\n\nWe classify images of CIFAR-10 with convolutional networks.\n\n"
        "## Method\n\nWe replace each 3x3 convolution by a depthwise convolution with a 7x7 kernel.\n"
    )
    there = ("--db", "home/w.db", "--local-store", "scratch#1")
    assert fairnad("papers", "add", "paper.md", *there).code == 0
    done = fairnad("structure", "--llm", "rules", "--policy", "none", *there)
    assert done.code == 0, done.err
    told = json.loads(fairnad("ideas", "list", "--json", *there).out)
    assert told
    assert fairnad("local-store", "--end", *there).code == 0
    assert json.loads(fairnad("ideas", "list", "--json", "--db", "home/w.db").out) == told
