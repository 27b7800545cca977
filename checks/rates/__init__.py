"""Rates: what share of a sender's mail bounces, over windows of its events."""
