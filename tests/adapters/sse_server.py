"""A small real OpenAI-compatible server whose delays are known: it streams tokens over HTTP from a thread of its own,
or, as a program, stands for `vllm serve`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web


@dataclass
class Behaviour:
    """How it answers. `slots` requests are served at once, the rest wait: its capacity is slots / service time."""

    ttft_s: float = 0.02
    tpot_s: float = 0.005
    slots: int = 1000
    models: tuple[str, ...] = ("tiny",)
    api_key: str | None = None
    usage: bool = True
    refuses: tuple[str, ...] = ()
    """Fields of the body that are answered with 400."""
    fails_every: int = 0
    """Each so many-th request is a 500."""
    cuts_after: int | None = None
    """The connection is dropped after so many tokens."""
    ends_after: int | None = None
    """The stream ends after so many tokens without a word."""
    error_event: bool = False
    overhead_tokens: int = 7
    """What a template adds to each prompt."""
    tokens_per_word: int = 2
    seen: list[dict[str, object]] = field(default_factory=list)
    """The bodies of the requests."""


class Server:
    """The application of one behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.slots = asyncio.Semaphore(behaviour.slots)
        self.app = web.Application()
        self.app.router.add_get("/health", self.health)
        self.app.router.add_get("/v1/models", self.list_models)
        self.app.router.add_post("/v1/completions", self.complete)
        self.app.router.add_post("/v1/chat/completions", self.complete)

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()

    def refusal(self, request: web.Request) -> web.Response | None:
        wanted = self.behaviour.api_key
        if wanted is None or request.headers.get("Authorization") == f"Bearer {wanted}":
            return None
        return web.json_response({"error": {"message": "no such key"}}, status=401)

    async def list_models(self, request: web.Request) -> web.Response:
        listed = {"object": "list", "data": [{"id": name} for name in self.behaviour.models]}
        return self.refusal(request) or web.json_response(listed)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        how, body = self.behaviour, await request.json()
        how.seen.append(body)
        refused = self.refusal(request)
        if refused is not None:
            return refused
        if body["model"] not in how.models:
            message = f"The model `{body['model']}` does not exist."
            return web.json_response({"error": {"message": message}}, status=404)
        for name in how.refuses:
            if name in body:
                return web.json_response({"error": {"message": f"extra field {name}"}}, status=400)
        if how.fails_every and len(how.seen) % how.fails_every == 0:
            return web.json_response({"error": {"message": "CUDA out of memory"}}, status=500)
        async with self.slots:
            return await self.stream(request, body, chat=request.path.endswith("/chat/completions"))

    async def stream(self, request: web.Request, body: dict[str, object], chat: bool) -> web.StreamResponse:
        how = self.behaviour
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(how.ttft_s)
        if chat:
            await event(response, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        tokens = int(str(body["max_tokens"]))
        for number in range(tokens):
            if number:
                await asyncio.sleep(how.tpot_s)
            if number == how.cuts_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if number == how.ends_after:
                return response
            choice: dict[str, object] = {"delta": {"content": "a"}} if chat else {"text": "a"}
            choice["finish_reason"] = "length" if number == tokens - 1 and not chat else None
            await event(response, {"choices": [choice]})
        if chat:
            await event(response, {"choices": [{"delta": {}, "finish_reason": "length"}]})
        if how.error_event:
            await event(response, {"error": {"message": "engine died"}})
        if how.usage and "stream_options" in body:
            prompt = body["messages"][0]["content"] if chat else body["prompt"]  # type: ignore[index]
            words = len(str(prompt).split())
            usage = {
                "prompt_tokens": words * how.tokens_per_word + how.overhead_tokens,
                "completion_tokens": tokens,
            }
            await event(response, {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response


async def event(response: web.StreamResponse, document: dict[str, object]) -> None:
    await response.write(b"data: " + json.dumps(document).encode() + b"\n\n")


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The URL of a server of that behaviour, which runs in a thread until the block ends."""
    started, url = threading.Event(), ""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        nonlocal url
        runner = web.AppRunner(Server(behaviour).app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def fake_vllm(folder: Path, pid: Path) -> None:
    """Put a program `vllm` into `folder` that is `main` of this file, and writes its process id to `pid`."""
    program, root = folder / "vllm", Path(__file__).resolve().parents[2]
    program.write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys\nsys.path.insert(0, {str(root)!r})\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
        "from tests.adapters.sse_server import main\nmain()\n",
        encoding="utf-8",
    )
    program.chmod(0o755)


def alive(pid: Path) -> bool:
    """Whether the process whose id is in the file runs."""
    try:
        os.kill(int(pid.read_text(encoding="utf-8")), 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """As `vllm serve MODEL --host H --port P`; the other arguments say how it misbehaves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--dies", action="store_true")
    parser.add_argument("--sick", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    arguments = parser.parse_args()
    if arguments.dies:
        print("ValueError: no such model", file=sys.stderr)
        sys.exit(3)
    if arguments.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    async def run() -> None:
        app = web.Application() if arguments.sick else Server(Behaviour(models=(arguments.model,))).app
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, arguments.host, arguments.port).start()
        await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
