"""How passwords are kept: argon2id (RFC 9106)."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idPasswordHasher(Argon2PasswordHasher):
    """The first of the OWASP Password Storage Cheat Sheet's equal choices: 19 MiB, two passes, one lane.

    Django's own 100 MiB and eight lanes would let a few dozen sign-ins at once use up a clinic's small machine. A
    hash with other parameters, or of another algorithm, is made anew when its owner signs in.
    """

    memory_cost = 19 * 1024  # KiB
    time_cost = 2
    parallelism = 1
