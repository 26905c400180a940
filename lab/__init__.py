"""A fleet of real ocserv gateways on one Linux machine, its clients, its releases and its faults. No Django here."""
