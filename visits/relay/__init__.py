"""The media relay: forwards encrypted packets between the people of a room, never decodes them.

It runs as a process of its own (``python -m visits.relay``), knows only opaque room and peer ids
and imports nothing else of ours. The web side may import ``visits.relay.client`` and nothing more.
"""
