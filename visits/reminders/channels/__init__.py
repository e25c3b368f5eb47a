"""How messages leave: one module a channel, all with the same face (``base.Channel``)."""
