"""Generation and scoring; torch lives here. `python -m regime3.engine FD` is the process."""
