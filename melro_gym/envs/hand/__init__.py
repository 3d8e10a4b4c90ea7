"""The Shadow hand."""
