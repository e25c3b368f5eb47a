"""A patient's record as a whole: copies of it, how long it is kept, what stops its erasure, and the erasure."""
