"""One command that starts the dashboard's processes, keeps them running, and ends them all. See script/serve."""
