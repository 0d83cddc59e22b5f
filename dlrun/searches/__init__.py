"""Searches: many trainings of one config, and what their best score is worth."""
