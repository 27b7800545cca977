"""Blocklists: is an address or a domain listed where receivers look it up."""
