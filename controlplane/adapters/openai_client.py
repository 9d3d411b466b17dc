"""Speaks to an OpenAI-compatible server: its models, and streamed completions with the time of every chunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType

import aiohttp

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.completion_stream import CompletionStream, Endpoint, ServerError, error_text, events

CONNECT_TIMEOUT_S = 10.0
"""For one connection, and for a question without a stream: a server that is up answers in milliseconds."""
UNAUTHORISED = (401, 403)


class Refused(ServerError):
    """It answered a request with a status that is none of success."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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
        stream, sent_s = CompletionStream(), monotonic_s()
        async with self._open().post(self.url + self._endpoint, json=self._body(model, prompt, max_tokens)) as response:
            await self._refuse(response)
            async for event in events(response):
                stream.take(event, monotonic_s(), self._endpoint)
        if stream.error is None and not (stream.chunk_at_s and stream.ended):
            stream.error = "the stream broke off" if stream.chunk_at_s else "the stream ended without a token"
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
        said = error_text(await response.text(errors="replace"))
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
