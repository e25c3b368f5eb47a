"""The words that the room's script needs, in the language of the page."""

from typing import Any

from django.utils.translation import gettext as _


def room_words() -> dict[str, Any]:
    """Sentences by name; ``{name}`` stands for a person."""
    return {
        "mute": _("Mute"),
        "unmute": _("Unmute"),
        "cameraOff": _("Camera off"),
        "cameraOn": _("Camera on"),
        "share": _("Share"),
        "stopSharing": _("Stop sharing"),
        "hideSelf": _("Hide my picture"),
        "showSelf": _("Show my picture"),
        "device": _("Device"),
        "mutedTalking": _("You are muted. Press Unmute to be heard."),
        "joined": _("You are in the visit."),
        "came": _("{name} is here."),
        "went": _("{name} left."),
        "muted": _("{name}, muted"),
        "joiningAgain": _("{name}, joining again"),
        "videoOf": _("Video of {name}"),
        "screenOf": _("Screen of {name}"),
        "phase": {
            "joining": _("Joining the visit."),
            "resuming": _("You lost the connection. Joining again, stay here."),
            "blocked": _("This network blocks video calls. Try mobile data or another Wi-Fi."),
            "unavailable": _("The video does not answer. We keep trying, stay here."),
            "busy": _("All video lines are busy now. We keep trying, stay here."),
            "full": _("This visit is full"),
        },
        "line": {
            "good": _("Good connection"),
            "weak": _("Weak connection, smaller picture"),
            "poor": _("Very weak connection"),
        },
        "lines": {
            "you": _("You"),
            "now": _("Sends {up}, receives {down}, {loss} lost"),
            "nowAnswering": _("Sends {up}, receives {down}, {loss} lost, answers in {trip}"),
        },
        "trouble": {
            "both-blocked": _("Your camera and microphone are blocked. You see and hear the others."),
            "camera-blocked": _("Your camera is blocked. The others do not see you."),
            "camera-missing": _("We found no camera. The others do not see you."),
            "camera-busy": _("Another app is using your camera. Close it, then Try again."),
            "microphone-blocked": _("Your microphone is blocked. The others do not hear you."),
            "microphone-missing": _("We found no microphone. You can listen."),
            "microphone-busy": _("Another app is using your microphone. Close it, then Try again."),
        },
        "unplugged": {
            "camera": _("Your camera was unplugged. We now use another one."),
            "microphone": _("Your headset was unplugged. We now use the built-in microphone."),
        },
    }
