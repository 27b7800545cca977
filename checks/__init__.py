"""The built-in checks, one folder each, found through the entry-point group `deliverability.checks`."""
