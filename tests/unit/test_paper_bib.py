"""BibTeX as abstract lists."""

from __future__ import annotations

from fairnad_engine.knowledge.papers import PaperText, ReadProblem, read_papers

BIB = r"""
@string{cvpr = "CVPR"}
@inproceedings{he, title = {Deep {R}esidual Learning}, author = {He, Kaiming and Zhang, Xiangyu and B{\"a}r, Jos\'e},
  booktitle = cvpr, year = 2016, abstract = {Blocks learn a residual at 5\% cost.}, eprint = {1512.03385},
  archivePrefix = {arXiv}}
@article{none, title = {No abstract}, year = {2017}}
@article{untitled, abstract = {No title}, year = {2017}}
@article{he, title = "The Same Key", abstract = "Another paper.", journal = {arXiv preprint arXiv:1709.01507}}
"""


def read(tmp_path, text):
    (tmp_path / "a.bib").write_text(text)
    return list(read_papers(str(tmp_path / "a.bib")))


def test_entries_with_title_and_abstract_are_papers(tmp_path):
    first, second, remark = read(tmp_path, BIB)
    assert isinstance(first, PaperText)
    assert (first.title, first.abstract) == ("Deep Residual Learning", "Blocks learn a residual at 5% cost.")
    assert first.authors == ("Kaiming He", "Xiangyu Zhang", "José Bär")
    assert (first.year, first.venue, first.arxiv) == (2016, "CVPR", "1512.03385")
    assert first.source.endswith("a.bib:3")
    assert (second.title, second.arxiv) == ("The Same Key", "1709.01507")
    assert isinstance(remark, ReadProblem)
    assert remark.remark
    assert "2 entries have no title or no abstract" in remark.message


def test_a_broken_entry_is_named_and_the_rest_is_read(tmp_path):
    found = read(tmp_path, "@article{a, title = {Broken\n\n@article{b, title={Good}, abstract={Text.}}\n")
    assert [one.title for one in found if isinstance(one, PaperText)] == ["Good"]
    (problem,) = [one for one in found if isinstance(one, ReadProblem)]
    assert problem.place == "line 1"


def test_files_without_entries_are_one_line(tmp_path):
    for text, says in (("", "empty"), ("no entry at all\n", "no BibTeX entry"), ("\0\0", "binary")):
        (problem,) = read(tmp_path, text)
        assert says in problem.message
