"""Hosted ChatKit's REST API, read only: patient with limits, failures and broken connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import httpx

from chatdock import __version__
from chatdock.errors import clip
from chatdock.protocol.frames import loads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

PAGE = 100
"""The largest page that the API allows."""
MAX_TRIES = 8
"""How often a request may fail before it is given up: about a minute."""
PATIENCE = 600.0
"""How long a request may be put off by rate limits, in seconds."""
FIRST_CONTACT = 30.0
"""How long an API that has answered nothing yet is tried, in seconds: the name, the port or the network is wrong."""
LOST_CONTACT = 120.0
"""How long one that answered before is tried, in seconds, while it answers nothing or not properly."""
LONGEST_PAUSE = 30.0
"""Between two tries of a failing request, in seconds."""
LONG_PAUSE = 3.0
"""From so many seconds on, a pause is told."""
MAX_DOWNLOAD = 50_000_000
"""Of a file, in bytes."""
MAX_DOWNLOADS = 3
"""How often a file is tried."""
KNOCKING = 30.0
"""How long it is asked that, in seconds."""
MAX_KNOCKS = 3
"""How often the API is asked whether it answers anything, when a request was given up."""
TIMEOUT = httpx.Timeout(60, connect=15)
DEADLINE = 180.0
"""Within which an answer has to be there, however steadily it trickles, in seconds."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


REFUSED = frozenset({400, 404})
"""How the API answers for a thread, or a cursor, that is not there any more."""


class HostedError(Exception):
    """Nothing more can be read; the message is for the operator."""


class Unreadable(Exception):
    """One request was refused or given up; others may go through."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Unanswered(Unreadable):
    """The request was given up, and may go through another time."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of threads or items, oldest first."""

    data: list[dict[str, Any]]
    last_id: str | None
    has_more: bool


class Hosted:
    """Reads threads and items with an API key. All its requests keep to the pauses that the API asks of one.

    `connections` requests at once; `first_pause` is how long the first failure of a request puts it off, in seconds.
    `say` hears why a request is put off for long. `HostedError` for a key or an address that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        connections: int,
        first_pause: float = 0.5,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        key = api_key.strip()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise HostedError("The API key holds characters that no key has.")
        if not _is_address(base_url):
            raise HostedError(f"{base_url!r} is not an address; write https://api.openai.com/v1")
        self._key = key
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=connections + 1, max_keepalive_connections=connections + 1),
            headers={
                "Authorization": f"Bearer {key}",
                "OpenAI-Beta": "chatkit_beta=v1",
                "User-Agent": f"chatdock/{__version__}",
            },
        )
        self._plain = httpx.AsyncClient(timeout=TIMEOUT, headers={"User-Agent": f"chatdock/{__version__}"})
        self._first_pause = first_pause
        self._say = say
        self._not_before = 0.0
        self._answers = False
        """Whether the API has answered a request."""

    async def __aenter__(self) -> Hosted:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.aclose()
        await self._plain.aclose()

    async def threads(self, user: str | None) -> AsyncIterator[dict[str, Any]]:
        """Every thread of the key's project, or of one user, once and oldest first: those made meanwhile come last."""
        previous: dict[str, str | None] = {}  # of each thread that was listed
        newest: str | None = None
        after: str | None = None
        passed = {after}
        while True:
            try:
                page = await self._page("chatkit/threads", after, user=user)
            except Unreadable as error:
                if after is None or error.status not in REFUSED:
                    raise HostedError(f"The threads cannot be listed: {error}") from error
                after = previous.get(after)  # the thread was deleted meanwhile, and is no place to go on from
                continue
            for thread in page.data:
                thread_id = str(thread.get("id"))
                if thread_id not in previous:
                    previous[thread_id] = newest
                    newest = thread_id
                    yield thread
            if not page.has_more:
                return
            after = page.last_id
            if after in passed:
                raise HostedError("The threads cannot be listed: the list goes round in circles.")
            passed.add(after)

    async def items(self, thread_id: str, after: str | None) -> AsyncIterator[Page]:
        """The pages of a thread's items beyond the one with the id `after`."""
        passed = {after}
        while True:
            page = await self._page(f"chatkit/threads/{quote(thread_id, safe='')}/items", after)
            yield page
            if not page.has_more:
                return
            after = page.last_id
            if after in passed:
                raise Unreadable("the list of its items goes round in circles")
            passed.add(after)

    async def has(self, thread_id: str) -> bool:
        """Whether the thread is still there."""
        try:
            await self._get(f"chatkit/threads/{quote(thread_id, safe='')}", {})
        except Unreadable as error:
            if error.status == 404:
                return False
            raise
        return True

    async def download(self, url: str) -> bytes:
        """What a signed link leads to, fetched without the key; `Unreadable`, or `Unanswered`, says why it is not."""
        reason = ""
        for failures in range(1, MAX_DOWNLOADS + 1):
            try:
                async with asyncio.timeout(DEADLINE), self._plain.stream("GET", url) as response:
                    if response.status_code == 200:
                        return await _body(response)
                    reason = f"HTTP {response.status_code}"
                    if response.status_code < 500 and response.status_code != 429:
                        raise Unreadable(reason)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol):
                raise Unreadable("its link is none") from None
            except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
                reason = type(error).__name__
            await asyncio.sleep(self._backoff(failures))
        raise Unanswered(reason)

    async def _page(self, path: str, after: str | None, **parameters: str | None) -> Page:
        wanted = {"limit": str(PAGE), "order": "asc", "after": after, **parameters}
        body = await self._get(path, {name: value for name, value in wanted.items() if value is not None})
        if not isinstance(body.get("data"), list):
            raise Unreadable("the answer is not a list as the API describes it")
        data = [entry if isinstance(entry, dict) else {} for entry in body["data"]]
        ids = [body.get("last_id"), *(entry.get("id") for entry in data)]
        last = next((one for one in reversed(ids) if isinstance(one, str)), after)
        more = bool(body.get("has_more"))
        if more and last == after:
            if data:
                raise Unreadable("the list does not go on beyond its own cursor")
            more = False  # whatever it says, this is its end: there is nothing to ask for
        return Page(data, last, more)

    async def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        failures, began = 0, time.monotonic()
        while True:
            while pause := self._pause():
                await asyncio.sleep(pause * random.uniform(1, 1.1))  # noqa: S311 - so that not all come at once
            response = await self._send(path, parameters)
            if isinstance(response, str):
                failures += 1
                reason, wait = response, None
            else:
                self._heed(response)
                if response.status_code == 200 and (body := _json(response)) is not None:
                    self._answers = True
                    return body
                reason, wait = self._reason(response), _retry_after(response)
                if not _passing(response):
                    await self._refuse(response, reason)
                if response.status_code == 429:
                    wait = wait or self._pause() or self._backoff(3)
                else:
                    failures += 1
            waited = time.monotonic() - began + (wait or 0)
            if wait is not None and waited > PATIENCE:
                await self._give_up(reason, wait)
            pause = self._backoff(failures) if wait is None else wait
            too_late = wait is None and time.monotonic() + pause > self._until(began)
            if failures >= MAX_TRIES or too_late:
                await self._give_up(reason, tried=time.monotonic() - began)
            if pause >= LONG_PAUSE:
                self._say(f"{reason}; waiting {pause:.0f} s")
            if wait is None:
                await asyncio.sleep(pause)
            else:
                self._not_before = max(self._not_before, time.monotonic() + wait)

    async def _send(self, path: str, parameters: dict[str, str]) -> httpx.Response | str:
        """The answer, or why there is none."""
        deadline = DEADLINE if self._answers else min(DEADLINE, FIRST_CONTACT)
        try:
            async with asyncio.timeout(deadline):
                return await self._http.get(path, params=parameters)
        except TimeoutError:
            return f"no whole answer came within {deadline:g} s"
        except (httpx.TransportError, httpx.DecodingError) as error:
            if _certificate_refused(error):
                raise HostedError(f"The certificate of {self._http.base_url.host} is not accepted: {error}") from error
            return f"{type(error).__name__} {error}".strip()

    def _until(self, began: float) -> float:
        """When a request that began then, and is not answered, is given up."""
        return began + (LOST_CONTACT if self._answers else FIRST_CONTACT)

    def _pause(self) -> float:
        """Seconds for which the API wants no requests."""
        return max(0.0, self._not_before - time.monotonic())

    def _backoff(self, failures: int) -> float:
        longest = min(LONGEST_PAUSE, self._first_pause * 2 ** (failures - 1))
        return float(longest * random.uniform(0.5, 1))  # noqa: S311

    def _heed(self, response: httpx.Response) -> None:
        """Wait with the next request when this one was the last that is allowed for now, or one too many."""
        if response.status_code == 429 or response.headers.get("x-ratelimit-remaining-requests") == "0":
            reset = min(_duration(response.headers.get("x-ratelimit-reset-requests", "")) or 0, PATIENCE)
            self._not_before = max(self._not_before, time.monotonic() + reset)

    async def _give_up(
        self, reason: str, wait: float | None = None, *, status: int | None = None, tried: float = 0
    ) -> NoReturn:
        """`Unreadable` when the API answers other requests, `HostedError` when it answers none."""
        if wait is not None and wait > PATIENCE:
            raise HostedError(f"{reason.rstrip('.')}. The API takes no requests for {wait:.0f} s; start again then.")
        if not self._answers:
            raise HostedError(f"{self._http.base_url.host} could not be read within {tried:.0f} s: {reason}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KNOCKING):
                for _ in range(MAX_KNOCKS):
                    knock = await self._send("chatkit/threads", {"limit": "1", "order": "asc"})
                    if isinstance(knock, httpx.Response) and knock.status_code == 200:
                        raise Unreadable(reason, status)
                    await asyncio.sleep(self._backoff(MAX_KNOCKS))
        raise HostedError(f"{reason.rstrip('.')}. The API answers nothing any more; start again later.")

    async def _refuse(self, response: httpx.Response, reason: str) -> NoReturn:
        status = response.status_code
        if status in {401, 429}:
            raise HostedError(reason)
        if not self._answers and status == 403:
            raise HostedError(
                f"{reason.rstrip('.')}. The key may not read the threads of its project, or not from this network."
            )
        if not self._answers and status in {404, 410}:
            raise HostedError(
                f"{reason.rstrip('.')}. There is no ChatKit API at {self._http.base_url}, or it has been shut down."
            )
        if status == 403:  # of the key, or of this thread
            await self._give_up(reason, status=403)
        raise Unreadable(reason, response.status_code)

    def _reason(self, response: httpx.Response) -> str:
        if response.status_code == 200:
            return "the answer is no JSON"
        message = _error(response).get("message")
        told = f": {clip(message.replace(self._key, '…'), 300)}" if isinstance(message, str) else ""
        return f"HTTP {response.status_code}{told}"


async def _body(response: httpx.Response) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_DOWNLOAD:
            raise Unreadable(f"it is larger than {MAX_DOWNLOAD // 1_000_000} MB")
    return bytes(data)


def _is_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


def _certificate_refused(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _passing(response: httpx.Response) -> bool:
    """Whether the same request may be answered later; a body that was no JSON was cut."""
    if response.status_code == 429:
        return _error(response).get("code") != "insufficient_quota"
    return response.status_code in {200, 408, 409} or response.status_code >= 500


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _error(response: httpx.Response) -> dict[str, Any]:
    error = (_json(response) or {}).get("error")
    return error if isinstance(error, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds until the request may be sent again, as far as the response says so."""
    if (milliseconds := _duration(f"{response.headers.get('retry-after-ms', '')}ms")) is not None:
        return milliseconds
    given = response.headers.get("retry-after", "")
    if (seconds := _duration(given)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time())


def _duration(text: str) -> float | None:
    """`1.5`, `20ms` or `6m0s` in seconds."""
    try:
        return max(0.0, float(text))
    except ValueError:
        parts = _DURATION.findall(text)
        if not parts or "".join(map("".join, parts)) != text:
            return None
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of the task that failed first."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
