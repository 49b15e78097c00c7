"""A guestbook: people leave a name and a few lines, and read what others left.

The package in one breath: `application` answers WSGI requests by way of `pages` (HTML), `api` (JSON) and
`health`; all three work on an `entries.Entries` store, of which there are two: `mysql_entries` and
`memory_entries`.
"""
