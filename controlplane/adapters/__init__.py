"""One file per outside thing, each with its fake beside it. What does not belong here: any decision."""
