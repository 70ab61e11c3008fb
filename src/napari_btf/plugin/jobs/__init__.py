"""Work of the docks that runs in threads.

The work itself is a job of the core; here is who starts, shows and cancels it.
"""
