"""The families of tasks, one file each; `regime3.tasks` finds them by their files."""
