"""Which model file to deploy, and why."""
