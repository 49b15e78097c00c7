"""A cluster in miniature: servers, network, etcd, agents and clients under random schedules, with the real decisions."""
