"""Reverse DNS of a sending address: its name, confirmed forward, and the HELO name."""
