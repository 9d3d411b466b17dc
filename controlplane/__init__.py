"""Tidegate: an autoscaling control plane for LLM inference on Kubernetes."""

__version__ = "0.1.0"
