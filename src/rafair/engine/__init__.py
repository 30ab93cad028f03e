"""Where work is computed.

In: a function, and tasks, each with the name under which its result is kept. Out: one shard for
each task, in the order of the tasks: computed in this process, in several processes or on a Ray
cluster, or taken from a store that already holds it. Nothing here knows what a task is about.
"""

from rafair.engine.backends import BACKENDS, Engine
from rafair.engine.progress import Progress, silent
from rafair.engine.shards import Memory, Runner, Shard, Store, Task, merged

__all__ = [
    "BACKENDS",
    "Engine",
    "Memory",
    "Progress",
    "Runner",
    "Shard",
    "Store",
    "Task",
    "merged",
    "silent",
]
