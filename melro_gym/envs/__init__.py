"""Perturbed environments: data tables, model edits, the environment class and its registration."""
