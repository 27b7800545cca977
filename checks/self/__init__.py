"""The monitor watches itself."""
