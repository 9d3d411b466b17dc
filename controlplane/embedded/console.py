"""What a person sees in the terminal: lines of progress, then one live line."""

from __future__ import annotations

import http.client
import json
import shutil
import sys
import time
import urllib.request
from datetime import UTC, datetime
from typing import Any, TextIO

QUIET_EVERY_S = 10.0
"""Real seconds between lines where there is no terminal to keep one line alive."""


class Console:
    """Writes lines; on a terminal the last line is kept alive."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._alive = self._stream.isatty()
        self._live_shown = False
        self._last_live_s = 0.0
        self._began_s = time.monotonic()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self._stream, flush=True)

    def progress(self, text: str) -> None:
        """A line that stays, with the seconds since the start."""
        self.say(f"[{time.monotonic() - self._began_s:5.1f} s] {text}")

    def live(self, text: str) -> None:
        """The line that is always the newest."""
        now_s = time.monotonic()
        if not self._alive:
            if now_s - self._last_live_s >= QUIET_EVERY_S:
                self._last_live_s = now_s
                print(text, file=self._stream, flush=True)
            return
        self._clear()
        self._stream.write(text[: shutil.get_terminal_size().columns - 1])  # a wrapped line could not be taken back
        self._stream.flush()
        self._live_shown = True

    def _clear(self) -> None:
        if self._live_shown:
            self._stream.write("\r\x1b[2K")
            self._live_shown = False


def with_token(url: str, token: str) -> urllib.request.Request:
    """A request that shows a token."""
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})


def live_line(url: str, token: str) -> str:
    """The fleet in one line: virtual time, load, replicas ready/desired, attainment, dollars an hour."""
    try:
        with urllib.request.urlopen(with_token(f"{url}/api/v1/fleet", token), timeout=2.0) as answer:
            fleet = json.load(answer)
    except (http.client.HTTPException, OSError, ValueError) as error:  # an API killed in mid-answer among them
        return f"the API does not answer yet ({getattr(error, 'reason', error)})"
    return fleet_line(fleet["totals"])


def fleet_line(totals: dict[str, Any]) -> str:
    """`live_line` of what the API answered."""
    if totals["newest_tick_at_s"] is None:
        return "waiting for the first decision"
    at = datetime.fromtimestamp(totals["now_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    load = "load unknown" if totals["requests_per_s"] is None else f"{totals['requests_per_s']:.1f} req/s"
    met = "SLO unknown" if totals["attainment"] is None else f"SLO {totals['attainment']:.1%}"
    replicas = f"replicas {totals['ready']}/{totals['desired']}"
    return f"{at} UTC x{totals['speed']:g}  {load}  {replicas}  {met}  ${totals['usd_per_hour']:.2f}/h"
