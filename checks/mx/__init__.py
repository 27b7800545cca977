"""MX: the hosts that receive a domain's mail, and watched for changes."""
