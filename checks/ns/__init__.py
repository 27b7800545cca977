"""NS: whether a domain is answered for at all, and by enough name servers."""
