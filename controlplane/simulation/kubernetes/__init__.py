"""The part of the Kubernetes API that Tidegate uses, over plain HTTP. It knows objects, not GPUs or requests.

Held against answers recorded from a real API server; see docs/adr/0002-kubernetes-emulator.md for what is left out.
"""
