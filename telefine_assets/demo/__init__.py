"""The demonstration: film reviews.

Real: the sentences and their labels, the language model, every call and its
MLflow trace, the compile, the evaluation, the signature, the payout. Simulated:
the five days, the people with their wallets, and what they say of the answers.

``film_reviews`` is the program, ``people`` who uses it and how, ``production``
the simulated days, ``run`` the whole, ``report`` what is printed at the end.
"""
