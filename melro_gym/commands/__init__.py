"""What the subcommands of `melro-gym` do; imported only when one runs."""
