"""Bodies of the CLI's larger commands, one file each: read the options, call the rooms below, print."""
