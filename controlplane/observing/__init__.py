"""From the bytes of metrics pages to an Observation. Pure: no I/O, no clock; what is wrong is a named fault."""

from controlplane.observing.observe import observe
from controlplane.observing.pages import read_page
from controlplane.observing.window import SampleWindow

__all__ = ["SampleWindow", "observe", "read_page"]
