"""The report of a sweep: page, tables and figures. It needs neither torch nor hydra, so a laptop can make it."""
