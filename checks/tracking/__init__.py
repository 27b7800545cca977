"""The hosts in the links of our mail: click, open and unsubscribe."""
