"""SMTP: do mail hosts answer, encrypt, and show a certificate that is worth something."""
