"""NVIDIA's offline simulator (`ai-dynamo-runtime`) with Tidegate as its scaling policy, and Dynamo's planner beside it.

Only `replay.py` touches NVIDIA's packages, and only inside its functions: without the extra `peers` the rest is
imported and tested all the same.
"""
