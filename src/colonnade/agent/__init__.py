"""The daemon on every machine: observe, decide, one action, record, again and again; and what it answers.

It alone touches its MySQL. On a machine without MySQL it is a witness: it votes on who reaches the primary.
"""
