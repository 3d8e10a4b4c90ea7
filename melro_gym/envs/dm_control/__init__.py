"""Suite tasks of dm_control."""
