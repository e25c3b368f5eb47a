"""A random history of booking by many clients at once, and what must be true of it.

``python -m tests.booking.history --operations 100000`` makes a long one (PostgreSQL by
TELEHEALTH_TEST_DATABASE=postgresql); ``test_history`` a short one.
"""
