"""Kill a real engine at every step of its journal and around every system call: nothing may be lost.

A machine of real files is converged by real plugins in a forked process. That process dies by SIGKILL at its n-th
step or at its n-th system call that changes something, for every n; then the same graph is converged by another, which
may be killed too. What the listeners noted is then judged: each change of a notifier was followed by a refresh that
began after it, also through a kind without a refresh of its own; no listener was refreshed more than once too often
for each kill; each file held the old content or the new one, never a mixture; and nothing unfinished was left, neither
temporary files nor debts nor intents.
"""
