"""A streamed completion: server-sent events, which of them bring a token, and how servers put their errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp

ERROR_CHARACTERS = 200
"""Of a server's error message that are kept."""


class ServerError(ValueError):
    """A server that cannot be measured; the message names the URL, what it said, and what to do."""


class Endpoint(StrEnum):
    """Which of the two APIs is measured."""

    COMPLETIONS = "/v1/completions"
    CHAT = "/v1/chat/completions"


DONE: Mapping[str, object] = {}
"""Stands for `[DONE]`, which is no JSON."""


@dataclass(slots=True)
class CompletionStream:
    """What has come of an answer so far."""

    chunk_at_s: list[float] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None
    ended: bool = False
    """It came to its own end: a stream that only stops was cut on the way, even where the connection closed well."""

    def take(self, event: Mapping[str, object], at_s: float, endpoint: Endpoint) -> None:
        """One event of the stream."""
        if event.get("error"):
            self.error = _message(event["error"])
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.input_tokens = _count(usage.get("prompt_tokens"), self.input_tokens)
            self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)
        self.ended = self.ended or event is DONE
        choices = event.get("choices")
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            return
        self.ended = self.ended or choices[0].get("finish_reason") is not None
        if _has_token(choices[0], endpoint):
            self.chunk_at_s.append(at_s)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Mapping[str, object]]:
    """The JSON events of a server-sent stream, up to and with `DONE`."""
    async for line in response.content:
        text = line.strip()
        if not text.startswith(b"data:"):
            continue
        data = text[5:].strip()
        if data == b"[DONE]":
            yield DONE
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


def error_text(body: str) -> str:
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
