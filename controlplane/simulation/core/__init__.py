"""The compiled core of the simulator: one target's replicas and requests in flat arrays, and the functions that play
them. Everything outside goes through `Core`; nothing else of this package is for others."""
