from django.dispatch import Signal

# Is ``user`` treating ``patient``? Receivers answer True or False; the apps that know of visits connect to it.
treats = Signal()
