"""What the consumer mailbox providers require of bulk senders, and whether each sender meets it."""
