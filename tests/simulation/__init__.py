"""A cluster in miniature: servers, network, etcd, agents and clients under random schedules; the decisions are real."""
