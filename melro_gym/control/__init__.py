"""Deciding for robots step by step: the session that plans and remembers, and what surrounds it."""
