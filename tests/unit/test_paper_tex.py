"""TeX papers: documents with their parts, from a file, a folder or an archive that may be hostile."""

from __future__ import annotations

import io
import tarfile

import pytest

from fairnad_engine.knowledge import tex_files
from fairnad_engine.knowledge.papers import PaperText, ReadProblem, read_papers

MAIN = r"""\documentclass{article}
% \title{wrong}
\newcommand{\ours}{\textsc{GateNet}\xspace}
\title[Short]{A \textbf{Study} of {\ours} Blocks\thanks{Funded by none}}
\author{Ada Lovelace\thanks{x} \and Jos\'e B\"ar \\ University of X}
\begin{document}
\maketitle
\begin{abstract}
We use \ours, a 100\% new block~\cite{he2016}. % a hidden comment
It has $3\times 3$ convolutions.
\end{abstract}
\section{Introduction}\label{sec:i}
We ``gate'' the block.
\begin{figure}\includegraphics[width=1cm]{fig/x.pdf}\caption{The gate of \ours.}\end{figure}
\begin{itemize}
\item Use depthwise convolution.
\end{itemize}
\subsection*{Details}
\input{parts/more}
\bibliography{refs}
\section{Appendix}
Never read.
\end{document}
"""
PART = "The stem has stride~2. % another comment\n"


def check(found):
    assert isinstance(found, PaperText), found
    assert found.title == "A Study of GateNet Blocks"
    assert found.authors == ("Ada Lovelace", "José Bär")
    assert found.abstract == "We use GateNet, a 100% new block. It has 3×3 convolutions."
    assert [section.title for section in found.sections] == ["Abstract", "Introduction", "Details"]
    text = " ".join(found.text.split())
    assert "We “gate” the block. The gate of GateNet. - Use depthwise convolution." in text
    assert text.endswith("The stem has stride 2.")
    for left_out in ("comment", "Never", "Funded", "\\", "{", "refs"):
        assert left_out not in text


def project(folder):
    (folder / "parts").mkdir(parents=True)
    (folder / "fig").mkdir()
    (folder / "main.tex").write_text(MAIN)
    (folder / "parts" / "more.tex").write_text(PART)
    (folder / "fig" / "x.pdf").write_bytes(b"%PDF-1.4 a figure")
    (folder / "refs.bib").write_text("@article{a, title={T}}")
    (folder / "cvpr.sty").write_text("style")
    return folder


def test_a_file_with_its_parts_beside_it(tmp_path):
    (found,) = read_papers(str(project(tmp_path) / "main.tex"))
    check(found)


def test_a_folder_is_one_paper_and_other_papers_beside_it_are_read(tmp_path):
    project(tmp_path / "p")
    (tmp_path / "p" / "other.md").write_text("# Other\n\nText.\n")
    one, other = read_papers(str(tmp_path))
    check(one)
    assert other.title == "Other"


def archive(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str) and content.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, content[3:]
                packed.addfile(info)
            else:
                info.size = len(content.encode())
                packed.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def test_an_archive(tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive([("p/parts/more.tex", PART), ("p/main.tex", MAIN), ("p/x.png", "no text")]))
    (found,) = read_papers(str(file))
    check(found)


@pytest.mark.parametrize("named", ["../secret", "{path}/secret", "linked", "sub/../../secret"])
def test_nothing_outside_the_folder_is_read(tmp_path, named):
    (tmp_path / "secret.tex").write_text("SECRET")
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "linked.tex").symlink_to(tmp_path / "secret.tex")
    named = named.format(path=tmp_path)
    (folder / "main.tex").write_text(MAIN.replace("parts/more", named))
    paper, remark = read_papers(str(folder / "main.tex"))
    assert "SECRET" not in paper.text
    assert remark.remark
    assert named in remark.message


def test_an_archive_s_links_and_outside_paths_are_no_parts(tmp_path):
    (tmp_path / "secret.tex").write_text("SECRET")
    file = tmp_path / "a.tgz"
    linked = ("parts/more.tex", f"-> {tmp_path}/secret.tex")
    file.write_bytes(archive([("main.tex", MAIN), linked, ("../out.tex", MAIN), ("/abs.tex", MAIN)]))
    paper, remark = read_papers(str(file))
    assert "SECRET" not in paper.text
    assert "parts/more" in str(remark)
    assert not (tmp_path.parent / "out.tex").exists()


def test_unusable_sources_are_one_line_each(tmp_path, monkeypatch):
    def says(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (found,) = read_papers(str(tmp_path / name))
        assert isinstance(found, ReadProblem), found
        assert not found.remark
        return found.message

    assert "archive" in says("a.tar.gz", b"no archive")
    assert "archive" in says("b.tar.gz", archive([("m.tex", MAIN * 50)])[:200])
    assert "documentclass" in says("c.tar.gz", archive([("part.tex", PART)]))
    assert "title" in says("part.tex", PART)
    assert "empty" in says("e.tex", "% nothing\n")
    assert "name each other" in says("loop.tex", MAIN.replace("parts/more", "loop"))
    monkeypatch.setattr(tex_files, "MAX_UNPACKED", 100_000)
    assert "unpacks to more" in says("bomb.tar.gz", archive([("fig.png", "a" * 3_000_000), ("m.tex", MAIN)]))


def test_hostile_tex_stays_text(tmp_path):
    deep = "{" * 50_000
    (tmp_path / "a.tex").write_text(
        MAIN.replace("``gate''", r"\write18{touch x}\openout " + "\\section{" * 3000 + deep)
    )
    found = next(iter(read_papers(str(tmp_path / "a.tex"))))
    assert found.title == "A Study of GateNet Blocks"
    assert not (tmp_path / "x").exists()
