"""How dates are written in English where that is not Django's own way."""

# In narrow columns of the admin a time breaks from its date, and from nothing else.
DATETIME_FORMAT = "N\N{NO-BREAK SPACE}j,\N{NO-BREAK SPACE}Y, g:i\N{NO-BREAK SPACE}a"
