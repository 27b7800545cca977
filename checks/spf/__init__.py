"""SPF: the record of a domain, what it costs receivers to evaluate, and watched for changes."""
