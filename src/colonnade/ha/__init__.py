"""The database cluster, decided: the view of one agent in, one step and its reason out.

Nothing here acts, waits or knows the time. Words: the *claim* in etcd names who may act as primary and in which
*term*; it is *alive* while its time to live runs. The *contract* (``sync``) says what a client's "committed" is
worth: the commit is on ``primary`` and on at least ``acks`` of ``standbys``, and all of ``floor`` was acknowledged
so. A *member* is an incarnation of a server: its data, not its name.

The invariants, and where the code holds to them:

1.  *The record is never more hopeful than MySQL.* Raise ``acks``: MySQL first, a fresh commit seen acknowledged, then
    etcd. Lower: etcd first, then MySQL. Add a standby: etcd first, then its agent turns its side of semi-sync on.
    Remove one: bar it (etcd), lock its account and see it gone (MySQL), a fresh commit seen acknowledged without it,
    then etcd. (``contract``: each change demands its evidence; ``protection``: the order.) An acknowledgement counts
    only from a listed standby: whoever was listed once is *barred* until it has read that it no longer is, and says
    that its side is off. A write to etcd whose outcome is unknown may still land after it was read back, so it is
    *settled* by a later write before anything is built on the record (``primary``).
2.  *Only a proven candidate.* ``s - k + 1`` of the standbys promised, and the candidate holds all that any of them
    received or executed, and all of the floor (``candidates``). A promise is on disk, and the receiver off, before it
    is told (``report``).
3.  *Claim, promises, proof, one swap, promote* (``claimant``, then ``opening``). The swap writes no standbys.
4.  *An isolated primary cannot acknowledge* while ``acks >= 1``: it loosens only by a write to etcd, which compares
    claim and term.
5.  *No stop acknowledges a waiting commit*: clients are shut out first (``former``; the service's own stop as well).
6.  *A primary that restarts opens late*: MySQL starts shut; writable for the agent only, a fresh commit seen through,
    then clients (``opening``).
7.  *Nothing is merged, nothing precious is thrown away*: a server with transactions the primary lacks follows nobody;
    it is provisioned anew only if they are proven unacknowledged and saved (``errant``, ``standby``). Repointing
    keeps the relay log.
8.  *etcd down is not database down* (``health``).
9.  *The agent never locks itself out*: accounts change only while no commit is stuck (``protection``).
"""
