"""Machines on this host for a stack without addresses; how to reach them is all that leaves this package.

A machine is an overlay on a Debian image, booted by systemd-nspawn on a bridge, with an SSH key and an
address. From there on it is set up like any rented one, over SSH, by code that does not know of this
package. `Lab.place` gives addresses, `image.ensure` an image, `Lab.up` machines, `hosts` names for them.
"""

from colonnade.lab import hosts, image
from colonnade.lab.baked import Recipe
from colonnade.lab.host import host_packages
from colonnade.lab.image import Image
from colonnade.lab.lab import Lab, State
from colonnade.lab.placement import Placement

__all__ = ["Image", "Lab", "Placement", "Recipe", "State", "host_packages", "hosts", "image"]
