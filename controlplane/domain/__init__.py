"""The frozen vocabulary and the ports.

Dataclasses, enums and protocols with units in their names. No I/O, no clock, no arithmetic beyond a property
belongs here; nothing here imports another room of the control plane.
"""
