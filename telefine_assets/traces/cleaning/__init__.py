"""From logged traces to traces that may be learnt from, with a count and a sample for every drop.

Each trace is judged alone first, batch by batch (``judging``, ``candidate``,
``rules``), by its fields' types (``annotations``), what was said of it
(``outcomes``) and what its right output is (``labels``, ``audit``). Then the day
is looked at as a whole (``pipeline``): scores on one scale (``scale``), what is
far from the others (``outliers``), content clusters and splits, and the balance
of the trainset (``balance``). ``report`` says what became of each trace.
"""
