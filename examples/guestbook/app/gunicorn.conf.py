"""How gunicorn runs the guestbook; what differs between servers comes from the environment (README.md)."""

from __future__ import annotations

import os

from guestbook.settings import Settings

_settings = Settings.from_environment(os.environ)

# workers x threads = CONCURRENCY = what the balancer sends here at once = connections to each database.
worker_class = "gthread"
workers = _settings.workers
threads = _settings.threads

# The workers' heartbeat: on a disk that stalls, healthy workers would be killed.
worker_tmp_dir = "/dev/shm"  # noqa: S108  a tmpfs, and gunicorn unlinks the file as soon as it is open

# Group-writable and closed to others: Nginx is in the socket's group.
umask = 0o007

# Longer than Nginx keeps an idle connection to us (60 s), so that it is never we who close one it is about to
# use.
keepalive = 75

# A request that takes longer than the database's time-outs together is stuck.
timeout = 30
# Below the unit's TimeoutStopSec.
graceful_timeout = 20

# A slow leak ends here; the jitter keeps the workers from being replaced together. Rarely, because it is not free: a
# threaded worker that leaves closes connections on which Nginx is just sending. Measured with gunicorn 23, six clients
# writing without pause: about one request lost per replacement (32 of 8,405 at 37 replacements). The balancer repeats
# it where that is safe; a POST without Idempotency-Key it cannot.
max_requests = 200_000
max_requests_jitter = 50_000

# Nginx buffers requests; its headers come from the balancer.
forwarded_allow_ips = "*"

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "access": {
            "()": "guestbook.access_log.JsonLines",
            "server": _settings.server,
            "release": _settings.release,
        },
        "plain": {"format": "%(levelname)s %(name)s[%(process)d] %(message)s"},
    },
    "filters": {"no_health_checks": {"()": "guestbook.access_log.NoHealthChecks"}},
    "handlers": {
        "access": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "access",
            "filters": ["no_health_checks"],
        },
        "plain": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "plain"},
    },
    "root": {"level": "INFO", "handlers": ["plain"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["plain"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["access"], "propagate": False},
    },
}
