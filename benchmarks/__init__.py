"""What `make bench` runs, and what repeats a table or a figure of the documentation; not installed."""
