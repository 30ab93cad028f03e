"""What is asked.

In: keywords in Python, options of the command line, or a ``plan.toml`` beside a table. Out: a
``Plan``, every value of which was checked, and from a file also the data, the model and the gates
that it names. ``drafting`` proposes a plan for a table that nobody has described; ``checking`` says
what a plan means before it runs.
"""

from rafair.plans.plan import Plan

__all__ = ["Plan"]
