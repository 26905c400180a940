"""probegate: the one program that our SSH key may run on a probe host. docs/probes.md. Imports nothing of ours.

It signs in at a gateway with this machine's own openconnect, as a user from outside would. The tunnel lies in a network
namespace that has no name and ends with the probe, so this machine's routes and resolver are never touched. Standard
library only, python >= 3.9.
"""
