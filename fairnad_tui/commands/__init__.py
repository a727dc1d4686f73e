"""Sub-commands, one family per file; each is imported only when it is called."""
