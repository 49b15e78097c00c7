"""HTTPS between the stack's own parts: a thin client and a thin server around h11, with the stack's certificates."""
