"""How it spreads."""
