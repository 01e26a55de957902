"""Run folders: the results of trainings."""
