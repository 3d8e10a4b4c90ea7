"""The Franka arm."""
