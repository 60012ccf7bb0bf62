"""Would the tests notice? One change at a time in the modules that hold formulas, judged by their tests.

`changes` (what could be changed, and a sample of it), `judge` (whether a test fails). ``make mutants`` runs both.
"""
