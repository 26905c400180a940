"""Rollouts on bad days: random strategies, people and faults from a seed, and what must hold whatever happens."""
