"""TLS-RPT: where senders report that they could not deliver a domain's mail over TLS."""
