"""What is measured, and against whom. script/bench NAME --json runs one of these."""
