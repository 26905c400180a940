"""hagate: the one program that the dashboard's SSH key may run on a balancer. docs/traffic.md. Imports nothing of ours.

HAProxy wants level `admin` of whoever sets a weight, and who has that may also send users to another machine. So the
key reaches no socket but this: a closed set of questions, about the backends that the balancer's operator names.
"""
