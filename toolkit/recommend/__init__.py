"""The recommendation which model file to deploy, and why."""
