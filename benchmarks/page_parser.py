"""How long a metrics page takes to read, beside prometheus_client's parser of the same bytes, in one run.

    python -m benchmarks.page_parser [PAGE ...]

Without pages: those of vLLM 0.32 under ../shared/engines. "again" is a page whose heads were all seen, as at every
scrape but the first; "one new" has a label that was never seen (an adapter, a new reason), "first" has none that was.
prometheus_client only splits the page into samples; `read_page` also adds them up into a `Sample` with its faults.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from controlplane.observing import layout, read_page
from controlplane.observing.layout import layout_of

ENGINES = Path(__file__).resolve().parents[1] / ".." / "shared" / "engines"
ROUNDS = 40


def median_ms(work: Callable[[], object], before: Callable[[], None] = lambda: None) -> float:
    """The median over `ROUNDS` of one call, milliseconds; `before` each is not timed."""
    spent = []
    for _ in range(ROUNDS):
        before()
        began = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - began))
    return statistics.median(spent)


def forget() -> None:
    """As before the first page of all."""
    for one in (layout_of, layout._meanings):
        one.cache_clear()


def main(paths: list[Path]) -> None:
    """Print one line a page."""
    print(f"{'page':34} {'kB':>5} {'prometheus_client':>18} {'again':>9} {'one new':>9} {'first':>9} {'ratio':>7}")
    for path in paths:
        body = path.read_bytes()

        def ours(body: bytes = body) -> object:
            return read_page(body, "r", "v", 0.0)

        theirs = median_ms(lambda body=body: list(text_string_to_metric_families(body.decode())))
        first, one, again = median_ms(ours, forget), median_ms(ours, layout_of.cache_clear), median_ms(ours)
        times = f"{theirs:15.2f} ms {again:6.2f} ms {one:6.2f} ms {first:6.2f} ms {theirs / again:6.1f}x"
        print(f"{path.name:34} {len(body) / 1e3:5.1f} {times}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(ENGINES.glob("*.metrics.txt")))
