from django.dispatch import Signal

# Asks who knows more of visits whose patient has arrived: ``visits``, their ids, and ``now``. Receivers return
# {id: kind}, a kind being one of ``reading.KINDS``: the line of waiting patients is none of this app's business.
arrived_visits_shown = Signal()
