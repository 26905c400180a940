"""ocgate: the program that runs on a gateway. Standard library only; imports nothing of the controller."""

VERSION = "0.3.0"
PROTOCOL = 3
