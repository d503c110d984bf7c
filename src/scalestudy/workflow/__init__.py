"""The study as a workflow: its jobs and their commands, what they will take, and the lock that guards it."""
