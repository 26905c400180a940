"""ocgate: the program that runs on a gateway. Standard library only; imports nothing of the controller."""

VERSION = "0.1.0"
PROTOCOL = 1
