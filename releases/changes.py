"""The kinds of changes to what may run that need a second person."""
