"""MTA-STS: the policy by which senders refuse to deliver a domain's mail to the wrong host."""
