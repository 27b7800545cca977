"""The command `deliverability`. Modules import lightly; what is heavy is imported by the command that needs it."""
