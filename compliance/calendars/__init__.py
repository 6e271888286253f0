"""Business days of places: one implementation for penalties of stores and for deadlines of cases."""
