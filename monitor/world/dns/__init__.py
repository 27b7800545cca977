"""Asking the DNS: the resolver, the authoritative servers themselves, and DNSSEC."""
