"""The compliance app's kinds of job."""
