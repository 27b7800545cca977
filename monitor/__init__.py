"""The deliverability monitor: a daemon that knows no check by name."""
