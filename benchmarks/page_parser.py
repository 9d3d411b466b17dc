"""How long a metrics page takes to read, beside prometheus_client's parser of the same bytes, in one run.

    python -m benchmarks.page_parser [PAGE ...]

Without pages: those of vLLM 0.32 under ../shared/engines. "first" is a page whose layout was never seen (an engine's first
page, or its first after a label was added), "again" is every later one. prometheus_client only splits the page into
samples; `read_page` also adds them up into a `Sample` with its faults.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from controlplane.observing import read_page
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


def main(paths: list[Path]) -> None:
    """Print one line a page."""
    print(f"{'page':34} {'kB':>5} {'prometheus_client':>18} {'first':>9} {'again':>9} {'ratio':>7} {'first':>7}")
    for path in paths:
        body = path.read_bytes()
        theirs = median_ms(lambda body=body: list(text_string_to_metric_families(body.decode())))
        first = median_ms(lambda body=body: read_page(body, "r", "v", 0.0), layout_of.cache_clear)
        again = median_ms(lambda body=body: read_page(body, "r", "v", 0.0))
        times = f"{theirs:15.2f} ms {first:6.2f} ms {again:6.2f} ms {theirs / again:6.1f}x {theirs / first:6.1f}x"
        print(f"{path.name:34} {len(body) / 1e3:5.1f} {times}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(ENGINES.glob("*.metrics.txt")))
