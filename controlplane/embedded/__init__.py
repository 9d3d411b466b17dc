"""The embedded default: everything that Tidegate needs, started as children of one command on one machine.

What does not belong here: anything that a real installation needs too.
"""
