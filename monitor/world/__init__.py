"""The outside, one adapter for each interface of monitor.check; `fake` is a world that is data."""
