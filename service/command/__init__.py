"""The command line: `firstcome demo | serve | gateway | arbiter | sale | token | export | audit | prove`.

One file a verb; what only one verb needs is imported in it, so that the others start fast. `main` puts them together.
Exit status 0 good, 1 it found something wrong, 2 it could not run.
"""
