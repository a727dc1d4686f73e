"""Complete small searches whose processes are killed with kill -9, and are resumed, until they are done.

Workers, jail and store are the real ones; only trainings are simulated. Killed are the worker, the jail's own process
and its children, trainers, and apps that look on: at random times, and just as the store's log or a file is written.
After each kill of a worker nothing of its processes may be left. At the end no row that a reader saw committed may be
gone or otherwise, the file must be sound, each file that a row names must have its content, no training may have begun
again that was not in flight at a kill, and the run digest must be that of an undisturbed run with the same seed.

The suite makes 50 kills, ``make soak`` 1,000, or as many as ``FAIRNAD_SOAK_KILLS`` says.
"""
