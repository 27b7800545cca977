"""The one error of the store."""


class StoreError(Exception):
    """The store cannot do what was asked. The text names the file and says what a person can do."""
