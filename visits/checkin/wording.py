"""One sentence for each outcome of the device check, as the patient reads it."""

from django.utils.translation import gettext_lazy as _

CAMERA = [
    ("ok", _("Camera works")),
    ("blocked", _("Camera is blocked")),
    ("missing", _("No camera found")),
    ("busy", _("Camera is in use elsewhere")),
    ("off", _("Camera is off")),
]
MICROPHONE = [
    ("quiet", _("Microphone is on")),
    ("ok", _("We can hear you")),
    ("blocked", _("Microphone is blocked")),
    ("missing", _("No microphone found")),
    ("busy", _("Microphone is in use elsewhere")),
    ("off", _("Microphone is off")),
]
