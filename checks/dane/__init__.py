"""DANE: whether the certificates of mail hosts are those that signed TLSA records name."""
