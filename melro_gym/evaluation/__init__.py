"""Evaluation: batched episodes, statistics, the demo's table and figure."""
