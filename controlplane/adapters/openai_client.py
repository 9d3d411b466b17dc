"""Speaks to an OpenAI-compatible server: its models, and streamed completions with the time of every chunk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType

import aiohttp

from controlplane.adapters.clock import monotonic_s

CONNECT_TIMEOUT_S = 10.0
"""For one connection, and for a question without a stream: a server that is up answers in milliseconds."""
ERROR_CHARACTERS = 200
"""Of a server's error message that are kept."""
UNAUTHORISED = (401, 403)


class ServerError(ValueError):
    """A server that cannot be measured; the message names the URL, what it said, and what to do."""


class Refused(ServerError):
    """It answered a request with a status that is none of success."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Endpoint(StrEnum):
    """Which of the two APIs is measured."""

    COMPLETIONS = "/v1/completions"
    CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer. Times are those of the monotonic clock; `error` None: it came to its end."""

    sent_s: float
    chunk_at_s: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What is asked beyond OpenAI's first API, and not every server takes: the tokens' count at the end of the stream,
    and an answer that goes on past its end so that it has exactly the length asked for."""

    usage: bool = True
    ignore_eos: bool = True

    def fields(self) -> dict[str, object]:
        """Of the request's body."""
        body: dict[str, object] = {}
        if self.usage:
            body["stream_options"] = {"include_usage": True}
        if self.ignore_eos:
            body["ignore_eos"] = True
        return body


@dataclass(slots=True)
class _Stream:
    """What has come of an answer so far."""

    chunk_at_s: list[float] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None

    def take(self, event: Mapping[str, object], at_s: float, endpoint: Endpoint) -> None:
        """One event of the stream."""
        if event.get("error"):
            self.error = _message(event["error"])
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)
        choices = event.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict) and _has_token(choices[0], endpoint):
            self.chunk_at_s.append(at_s)


class OpenAiClient:
    """Use as an async context manager. `url` is the server's root, with or without `/v1`."""

    def __init__(self, url: str, endpoint: Endpoint, api_key: str | None, timeout_s: float) -> None:
        self.url = _root(url)
        self._endpoint = endpoint
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._session: aiohttp.ClientSession | None = None
        self.extras = Extras()

    async def __aenter__(self) -> OpenAiClient:
        # No limit on connections: the load is open, and a client that queues would hide the server's waiting.
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def models(self) -> tuple[str, ...]:
        """The names that the server serves.

        Raises:
            ServerError: if it cannot be reached, refuses the key, or answers something else.
        """
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        try:
            async with self._open().get(f"{self.url}/v1/models", timeout=timeout) as response:
                await self._refuse(response)
                document = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            if isinstance(error, ServerError):
                raise
            raise ServerError(f"{self.url}/v1/models did not answer JSON: {error}") from error
        listed = document.get("data") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ServerError(f"{self.url}/v1/models has no list of models; allowed: an OpenAI-compatible server")
        return tuple(str(item["id"]) for item in listed if isinstance(item, dict) and "id" in item)

    async def probe(self, model: str, prompt: str, max_tokens: int) -> Answer:
        """A first request, which also finds out which of the extras the server takes.

        Raises:
            ServerError: if it cannot be served, whatever is left out.
        """
        for extras in (self.extras, replace(self.extras, ignore_eos=False), Extras(False, False)):
            self.extras = extras
            try:
                answer = await self._stream(model, prompt, max_tokens)
            except Refused as error:
                if error.status not in (400, 422) or extras == Extras(False, False):
                    raise
                continue
            except (aiohttp.ClientError, TimeoutError) as error:
                raise self._unreachable(error) from error
            if answer.error is not None:
                raise ServerError(f"{self.url}{self._endpoint}: {answer.error}")
            return answer
        raise AssertionError("the last try returns or raises")

    async def stream(self, model: str, prompt: str, max_tokens: int) -> Answer:
        """One answer; what goes wrong is its `error`, never an exception."""
        sent_s = monotonic_s()
        try:
            return await self._stream(model, prompt, max_tokens)
        except TimeoutError:
            return Answer(sent_s, (), None, None, f"no answer in {self._timeout.total:g} s")
        except (aiohttp.ClientError, ValueError) as error:
            return Answer(sent_s, (), None, None, str(error) or type(error).__name__)

    async def _stream(self, model: str, prompt: str, max_tokens: int) -> Answer:
        stream, sent_s = _Stream(), monotonic_s()
        async with self._open().post(self.url + self._endpoint, json=self._body(model, prompt, max_tokens)) as response:
            await self._refuse(response)
            async for event in _events(response):
                stream.take(event, monotonic_s(), self._endpoint)
        if stream.error is None and not stream.chunk_at_s:
            stream.error = "the stream ended without a token"
        return Answer(sent_s, tuple(stream.chunk_at_s), stream.input_tokens, stream.output_tokens, stream.error)

    def _body(self, model: str, prompt: str, max_tokens: int) -> dict[str, object]:
        asked: dict[str, object] = {"prompt": prompt}
        if self._endpoint is Endpoint.CHAT:
            asked = {"messages": [{"role": "user", "content": prompt}]}
        return {"model": model, **asked, "max_tokens": max_tokens, "stream": True, **self.extras.fields()}

    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use the client as an async context manager"
        return self._session

    async def _refuse(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            return
        said = _error_text(await response.text(errors="replace"))
        if response.status in UNAUTHORISED:
            raise Refused(
                f"{self.url} answered {response.status}: {said}; allowed: a key in --api-key or OPENAI_API_KEY",
                response.status,
            )
        raise Refused(f"{response.url.path} answered {response.status}: {said}", response.status)

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(f"{self.url} cannot be reached: {str(error) or type(error).__name__}")


def _root(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ServerError(f"URL is {url!r}; allowed: http://HOST:PORT or https://HOST, with or without /v1")
    return url.rstrip("/").removesuffix("/v1")


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, object]]:
    """The JSON events of a server-sent stream, up to `[DONE]`."""
    async for line in response.content:
        text = line.strip()
        if not text.startswith(b"data:"):
            continue
        data = text[5:].strip()
        if data == b"[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError as error:
            raise ServerError(f"the stream has an event that is not JSON: {data[:60]!r}") from error
        if isinstance(event, dict):
            yield event


def _has_token(choice: Mapping[str, object], endpoint: Endpoint) -> bool:
    """Whether a chunk brings a token. A completion's token may be empty text (part of a character); a chat's first
    chunk has the role alone, and the last may only say why it ended."""
    if endpoint is Endpoint.COMPLETIONS:
        return bool(choice.get("text")) or choice.get("finish_reason") is None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    return any(delta.get(name) for name in ("content", "reasoning_content", "reasoning", "tool_calls"))


def _count(value: object, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _error_text(body: str) -> str:
    """The message in an error's body, in OpenAI's form or any other."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.strip()[:ERROR_CHARACTERS] or "nothing"
    said = document.get("error", document) if isinstance(document, dict) else document
    return _message(said)


def _message(said: object) -> str:
    text = said.get("message") if isinstance(said, dict) else said
    return str(text if text is not None else said)[:ERROR_CHARACTERS]
