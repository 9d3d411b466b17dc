"""The simulated fleet and its cluster, and backtests over it: the same planning code on a virtual clock.

What does not belong here: any wall clock, and any planning of its own.
"""
