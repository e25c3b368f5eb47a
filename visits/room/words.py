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
        "paused": _("{name}, picture paused to keep the sound"),
        "seesNothing": _("{name}, hears you, the picture is paused"),
        "videoOf": _("Video of {name}"),
        "screenOf": _("Screen of {name}"),
        "phase": {
            "joining": _("Joining the visit."),
            "resuming": _("You lost the connection. Joining again, stay here."),
            "blocked": _("This network blocks video calls. Try mobile data or another Wi-Fi."),
            "unavailable": _("The video does not answer. We keep trying, stay here."),
            "busy": _("All video lines are busy now. We keep trying, stay here."),
            "full": _("This visit is full"),
            "encryption-required": _("This visit needs another browser"),
            "encryption-undecided": _("This browser cannot encrypt. A clinician decides."),
        },
        "security": security_words(),
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


def security_words() -> dict[str, Any]:
    """By the modes of static/js/room/e2ee/security.js, and "unable": this browser cannot encrypt."""
    return {
        "badge": {
            "on": _("Encrypted end to end"),
            "agreeing": _("Agreeing on encryption"),
            "alone": _("Ready to encrypt"),
            "off": _("Not encrypted end to end"),
            "broken": _("Encryption failed"),
            "unable": _("Cannot encrypt"),
        },
        "title": {
            "on": _("Check that the visit is private"),
            "agreeing": _("The encryption is being agreed"),
            "alone": _("The visit will be private"),
            "off": _("This visit is not encrypted end to end"),
            "broken": _("The encryption failed"),
            "unable": _("This browser cannot encrypt"),
        },
        "plain": {
            "on": _(
                "If you both see the same words, nobody can listen in, not even the clinic's own server. "
                "Read them to each other."
            ),
            "onForMany": _(
                "If you all see the same words, nobody can listen in, not even the clinic's own server. "
                "Read them to each other."
            ),
            "agreeing": _(
                "Your browsers agree on keys that nobody else has. Until then nobody is seen or heard. "
                "It takes a moment."
            ),
            "alone": _(
                "When somebody comes, your browsers agree on keys that nobody else has. "
                "You then see four words to compare."
            ),
            "off": _(
                "Sound and pictures are encrypted on their way, but the clinic's server could open them. "
                "The clinic does without encryption from end to end."
            ),
            "offBy": _(
                "Sound and pictures are encrypted on their way, but the clinic's server could open them. "
                "{name} decided to go on without encryption from end to end."
            ),
            "broken": _(
                "The keys of your browsers do not fit together, so nobody is seen or heard. Load this page again. "
                "If that does not help, go on by phone."
            ),
            "unable": _("You are not in the visit yet, and nobody sees or hears you."),
        },
        "reason": {
            "joined": _("The words are new because {name} joined."),
            "left": _("The words are new because {name} left."),
            "new-key": _("The words are new because somebody opened the page again."),
        },
        "somebody": _("somebody"),
        "offBy": _("{name} went on without encryption from end to end."),
        "unable": {
            "title": _("{name} cannot join encrypted"),
            "who": _(
                "{name} waits outside, because their browser cannot encrypt from end to end. "
                "They see and hear nobody, and nobody sees or hears them."
            ),
            "waiting": _("Waits outside, cannot encrypt: {names}"),
            "refused": _("Cannot come in, because their browser cannot encrypt: {names}"),
        },
    }
