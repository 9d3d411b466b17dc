"""The loop: I/O in a straight line, no arithmetic. The only room that moves replicas."""
