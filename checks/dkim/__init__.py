"""DKIM: the public keys of a domain's selectors, judged, and watched for changes."""
