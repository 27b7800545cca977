"""BIMI: the brand logo beside a message, and all that must be right for it to be shown."""
