"""The command: its sub-commands, the batch runner and the terminal application."""
