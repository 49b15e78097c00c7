"""One outside thing each; none knows another."""
