"""Papers from arXiv: ids and queries through its API, no faster than it allows, with the standard library alone."""

from __future__ import annotations

import http.client
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from fairnad_engine.knowledge.atom import ID, AtomError, Feed, read_feed

API = "https://export.arxiv.org/api/query"
VARIABLE = "FAIRNAD_ARXIV_API"
"""Environment variable with another address that speaks the same, for example a mirror."""
PAUSE = 3.0
"""Seconds between requests that arXiv's terms ask for."""
PAGE = 100
LIMIT = 200
"""Results of a query unless told otherwise."""
MOST = 2000
_TRIES = 5
_TIMEOUT = 30.0
_SLOWEST = 120.0
_MAX_ANSWER = 20_000_000
_FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all|submittedDate):")


class ArxivError(Exception):
    """arXiv gave nothing that can be used; the message says why and what to do."""


@dataclass
class Pace:
    """Lets a request begin only so long after the one before."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    last: float | None = None

    def wait(self, more: float = 0.0) -> None:
        """Wait until the next request may begin, and ``more`` seconds after a refusal."""
        left = more if self.last is None else max(self.last + PAUSE - self.clock(), more)
        if left > 0:
            self.sleep(left)
        self.last = self.clock()


pace = Pace()
"""One for the whole process, whatever asks."""


def arxiv_records(wanted: str, limit: int = LIMIT) -> Iterator[dict[str, object] | str]:
    """Yield the papers of ``ID[,ID...]`` or of a query as records, and remarks as strings.

    Args:
        wanted: Ids divided by commas, or words, or a query in arXiv's own language (``ti:``, ``cat:``, ``AND``).
        limit: Most results of a query.

    Raises:
        ArxivError: arXiv cannot be reached or gives no usable answer.
    """
    wanted = " ".join(wanted.split())
    ids = [one.strip() for one in wanted.split(",") if one.strip()]
    if not ids:
        raise ArxivError("name ids or words, for example arxiv:1512.03385 or arxiv:depthwise convolution")
    if all(re.fullmatch(rf"(?:{ID.pattern})(?:v\d+)?", one) for one in ids):
        yield from _by_id(list(dict.fromkeys(ids)))
    else:
        yield from _by_query(wanted, min(limit, MOST))


def _by_id(ids: list[str]) -> Iterator[dict[str, object] | str]:
    for first in range(0, len(ids), PAGE):
        some = ids[first : first + PAGE]
        feed = _page({"id_list": ",".join(some), "max_results": str(len(some))})
        yield from feed.records
        found = {record["arxiv"] for record in feed.records}
        absent = [one for one in some if re.sub(r"v\d+$", "", one) not in found]
        if absent:
            raise ArxivError(f"arXiv has no paper {', '.join(absent[:5])}; check the id")


def _by_query(words: str, limit: int) -> Iterator[dict[str, object] | str]:
    query = (
        words if _FIELD.search(words) else " AND ".join(f"all:{one}" for one in re.findall(r'"[^"]*"|[^\s"]+', words))
    )
    start, seen = 0, set[object]()
    while start < limit:
        size = min(PAGE, limit - start)
        feed = _page({"search_query": query, "start": str(start), "max_results": str(size)}, more=start)
        if start == 0:
            if feed.total == 0:
                raise ArxivError("arXiv finds nothing for it; use fewer or other words")
            taken = min(feed.total, limit)
            rest = "; more with --limit" if feed.total > limit else ""
            yield f"taking {taken:,} of {feed.total:,} papers that arXiv finds, at most {limit:,}{rest}"
        # A paper that arrives while pages are read moves others to the next page.
        yield from (record for record in feed.records if record["arxiv"] not in seen)
        seen |= {record["arxiv"] for record in feed.records}
        start += size
        if start >= feed.total:
            return


def _page(parameters: dict[str, str], more: int = 0) -> Feed:
    base = os.environ.get(VARIABLE) or API
    if urllib.parse.urlsplit(base).scheme not in ("https", "http"):
        raise ArxivError(f"{VARIABLE} is no http or https address; correct it or unset it")
    url = f"{base}?{urllib.parse.urlencode(parameters)}"
    problem, delay = "", 0.0
    for attempt in range(_TRIES):
        pace.wait(delay)
        delay = PAUSE * 2**attempt
        try:
            feed = read_feed(_answer(url))
        except urllib.error.HTTPError as error:
            problem = f"the status {error.code}"
            if error.code not in (429, 500, 502, 503, 504):
                raise ArxivError(f"arXiv answers with {problem}; check the ids or the query") from error
            delay = max(delay, _retry_after(error))
        except AtomError as error:
            problem = str(error)
            if error.told:
                raise ArxivError(f"arXiv refuses the query ({error}); correct it") from error
        except (TimeoutError, ConnectionResetError, http.client.HTTPException) as error:
            problem = "nothing in time" if isinstance(error, TimeoutError) else "a connection that breaks off"
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError | ConnectionResetError):
                problem = "nothing in time" if isinstance(reason, TimeoutError) else "a connection that breaks off"
                continue
            remedy = "check the network, or add PDFs or a .jsonl or .bib list"
            raise ArxivError(f"arXiv cannot be reached ({_one_line(reason)}); {remedy}") from error
        else:
            # arXiv now and then sends an empty page in the middle of a result.
            if feed.entries or feed.total <= more:
                return feed
            problem = "an empty page"
    raise ArxivError(f"arXiv answers with {problem}, {_TRIES} times; try again later")


def _answer(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "fairnad-tui"})  # noqa: S310 - http(s) only, see _page
    end = pace.clock() + _SLOWEST
    pieces: list[bytes] = []
    size = 0
    with urllib.request.build_opener(_SameHost).open(request, timeout=_TIMEOUT) as reply:
        while piece := reply.read1(1 << 16):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_ANSWER:
                raise AtomError(f"more than {_MAX_ANSWER // 1_000_000} MB")
            if pace.clock() > end:
                raise TimeoutError
        length = reply.headers.get("Content-Length", "")
        if length.isdigit() and size < int(length):
            raise http.client.IncompleteRead(b"")
    return b"".join(pieces)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only on the host that was asked."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See :class:`urllib.request.HTTPRedirectHandler`."""
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if old.hostname != new.hostname or (old.scheme, new.scheme) == ("https", "http"):
            raise urllib.error.URLError("it sends on to another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _retry_after(error: urllib.error.HTTPError) -> float:
    written = (error.headers.get("Retry-After") or "") if error.headers else ""
    return min(float(written), 60.0) if written.isascii() and written.isdigit() else 0.0


def _one_line(reason: object) -> str:
    return " ".join(str(getattr(reason, "strerror", None) or reason).split())[:120]
