"""DMARC: the policy that applies to a domain, judged, and watched for changes."""
