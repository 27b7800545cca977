"""SMTP audit: what only the owner of a mail host may try on it, once a day and only where asked for."""
