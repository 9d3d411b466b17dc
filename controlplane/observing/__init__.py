"""From the bytes of metrics pages to an Observation. Pure: no I/O, no clock; what is wrong is a named fault."""

from controlplane.observing.observe import observe
from controlplane.observing.pages import read_page
from controlplane.observing.pool_pages import PoolSample, read_pool_page
from controlplane.observing.window import SampleWindow

__all__ = ["PoolSample", "SampleWindow", "observe", "read_page", "read_pool_page"]
