"""What a fault of the database may cost: the figures that the product promises, in seconds without a write."""

from colonnade.drill.fault import Limits

CRASH = Limits(gap=1.5, median=0.8)
"""The primary's mysqld dies, and the kernel says so at once."""
SILENCE = Limits(gap=5.0, median=3.0)
"""The primary is silent: its cable, its power, a mysqld that is frozen."""
SWITCH = Limits(gap=1.0, median=0.4)
STANDBY_LOST = Limits(gap=3.0, median=3.0)
"""The contract is loosened, the hold-off included."""
NOTHING = Limits(gap=1.0, median=0.5)
"""What clients need not notice; the bound leaves room for a busy machine."""
NO_FIGURE = Limits(redundant=120.0)
"""No write can succeed while it lasts, so only what is lost counts, and that all comes back."""
