"""Celery: what takes longer than a tick may. What does not belong here: moving replicas."""
