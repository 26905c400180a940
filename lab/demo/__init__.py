"""The demonstration: a lab, the dashboard on it, and people who use its pages. Imports no Django."""
