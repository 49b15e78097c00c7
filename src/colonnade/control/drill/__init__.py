"""Drills carried out: faults on real machines, clients that work meanwhile, and somebody who watches.

`engine` and `carry_out` serve every kind of drill; `database`, `load`, `rows` and `watch` are the database's.
`client` and `sampler` are programs of their own: they are sent to the machines and run there, with nothing of ours.
"""
