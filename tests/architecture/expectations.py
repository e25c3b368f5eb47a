"""Who may open which address, and say what on which socket: written down by hand, and held against the code.

``test_crawl.py`` says how to add a line. The kinds of pages:

``look``  shows something by GET; nothing else is taken
``page``  shows something by GET, and does something by POST
``post``  does something by POST alone
``ask``   answers a POST and changes nothing (what is asked for must not stand in an address)

Of those named, the first is the one whose POST must come through and change something. Where fewer may POST than look,
``posts`` names them.
"""

from typing import Any, NamedTuple


class Row(NamedTuple):
    kind: str
    who: tuple[str, ...]
    posts: tuple[str, ...]


def look(who: tuple[str, ...] = ()) -> Row:
    return Row("look", who, ())


def page(who: tuple[str, ...] = (), *, posts: tuple[str, ...] | None = None) -> Row:
    return Row("page", who, who if posts is None else posts)


def post(who: tuple[str, ...] = ()) -> Row:
    return Row("post", who, who)


def ask(who: tuple[str, ...] = ()) -> Row:
    return Row("ask", who, who)


BOOKS = ("front_desk", "clinician")
LOOKS = ("front_desk", "clinician", "clinic_admin")
GRANTS = ("front_desk", "clinic_admin")
TREATS = ("clinician",)
ACCOUNT = ("account", "proxy account")
PATIENT = ("patient", "proxy", *ACCOUNT)
# And who came by a link that staff have seen.
COMES = (*PATIENT, "patient by hand")
RUNS = ("clinic_admin",)
PARTY = ("patient", "proxy", "guest", "patient by hand", *ACCOUNT)
ADMINS = ("clinic_admin", "superuser")
TRAIL = ("clinic_admin", "auditor", "superuser")
ROOT = ("superuser",)
MEMBERS = ("clinician", "front_desk", "clinic_admin", "auditor")
VERIFIED = (*MEMBERS, "superuser", "former member")
# Who sees to their own sign-in: patients too, who have no password.
SIGNED_IN = (*VERIFIED, *ACCOUNT)

# For members of the clinic, in the role that is named.
STAFF = {
    "accounts:emergency": page(TREATS),
    "accounts:patient-account": page(GRANTS),
    "accounts:proxies": look(("front_desk", "clinician", "clinic_admin")),
    "accounts:proxy": page(GRANTS),
    "accounts:proxy-add": page(GRANTS),
    "accounts:proxy-end": post(GRANTS),
    "booking:book": page(BOOKS),
    "booking:cancel": page(BOOKS),
    "booking:move": page(BOOKS),
    "booking:move_slots": ask(BOOKS),
    "booking:patients": ask(BOOKS),
    "booking:slots": ask(BOOKS),
    "calendar:change-time-off": page(LOOKS),
    "calendar:day": look(LOOKS),
    "calendar:feed": page(LOOKS, posts=TREATS),
    "calendar:index": look(LOOKS),
    "calendar:month": look(LOOKS),
    "calendar:move": page(BOOKS),
    "calendar:places": look(BOOKS),
    "calendar:print": look(LOOKS),
    "calendar:time-off": page(LOOKS),
    "calendar:undo": post(BOOKS),
    "calendar:week": look(LOOKS),
    "dashboard:index": look(("clinic_admin",)),
    "dashboard:numbers": look(("clinic_admin",)),
    "records:change": post(RUNS),
    "records:copies": look(RUNS),
    "records:decline": post(RUNS),
    "records:download": post(RUNS),
    "records:end-hold": post(RUNS),
    "records:erase": page(RUNS),
    "records:index": page(RUNS),
    "records:page": look(RUNS),
    "intake:answers": look(TREATS),
    "reminders:arrived": post(BOOKS),
    "reminders:send-again": post(BOOKS),
    "reminders:ways": page(BOOKS),
    "room:end": post(TREATS),
    "room:invite": post(BOOKS),
    "room:revoke": post(BOOKS),
    "room:staff": look(TREATS),
    "room:visit": look(LOOKS),
    "summary:end-links": post(BOOKS),
    "summary:visit": look(TREATS),
    "summary:write": page(TREATS),
    "waiting:admit": post(BOOKS),
    "waiting:board": look(LOOKS),
    "waiting:called": post(TREATS),
    "waiting:late": page(BOOKS),
    "waiting:late-move": page(BOOKS),
    "waiting:link": page(BOOKS),
    "waiting:noshow": post(BOOKS),
    "waiting:today": look(LOOKS),
    "waiting:walk-in": page(BOOKS),
    "waiting:walk-in-check": ask(BOOKS),
    "waitlist:visit": page(BOOKS),
}

# For who redeemed a link to the visit, and for its patient who is signed in.
PARTIES = {
    "accounts:claim": page(("patient", "proxy")),
    "accounts:claim-code": page(("patient", "proxy")),
    "calendar:own-feed": page(("patient", "account")),
    "checkin:details": page(COMES),
    "checkin:devices": page(PARTY),
    "checkin:start": look(PARTY),
    "intake:questions": page(COMES),
    "online:booked": look(COMES),
    "online:calendar": look(COMES),
    "online:cancel": page(COMES),
    "online:looks": look(PATIENT),
    "online:move": page(COMES),
    "online:send-link": post(PATIENT),
    "online:visit": look(COMES),
    "online:visits": look(PATIENT),
    "records:ask": page(PATIENT),
    "reminders:own-ways": page(PATIENT),
    "room:party": look(PARTY),
    "summary:read": look(("patient", *ACCOUNT)),
    "summary:send-link": post(PATIENT),
    "waiting:left": page(PARTY),
    "waiting:moment": post(COMES),
    "waiting:room": page(PARTY, posts=COMES),
    "waitlist:mine": page(COMES),
}

# For patients who are signed in.
ACCOUNTS = {
    "accounts:account": look(ACCOUNT),
    "accounts:account-end": page(ACCOUNT),
    "online:me": look(ACCOUNT),
}

# For who gave a second factor, in a clinic or not, and for patients who are signed in: what is one's own.
OWN = {
    "accounts:clinic": post(MEMBERS),
    "accounts:factor": page(SIGNED_IN),
    "accounts:factor-passkey": page(SIGNED_IN),
    "accounts:factor-phone": page(SIGNED_IN),
    "accounts:factors": look(SIGNED_IN),
    "accounts:password": page(VERIFIED),
    "accounts:recovery-codes": page(SIGNED_IN),
    "accounts:session-end": post(SIGNED_IN),
    "accounts:session-extend": post(SIGNED_IN),
    "accounts:sessions": look(SIGNED_IN),
    "accounts:sessions-end-others": post(SIGNED_IN),
}

# For anybody, and why.
PUBLIC = {
    "/healthz/": "says ok",
    "/healthz/audit/": "says ok",
    "/healthz/jobs/": "says ok",
    "/healthz/messages/": "says ok",
    "/metrics/": "to who shows a token",
    "accounts:invitation": "to who has the address that was mailed",
    "accounts:link": "to who has the link: asks for the birth date",
    "accounts:link-needed": "tells to open the link again",
    "accounts:mfa-code": "after the password",
    "accounts:mfa-setup": "after the password, to who has no second factor yet",
    "accounts:no-clinic": "to who is signed in and belongs nowhere",
    "accounts:patient-code": "to the browser that asked for the code: the same whether anybody has an account",
    "accounts:patient-signin": "a way in: the same for everybody",
    "accounts:patient-which": "to who gave the code and the birth date",
    "accounts:passkey-enrol-options": "to who enrols a first factor, or gave one a moment ago",
    "accounts:passkey-options": "a challenge, the same for everybody",
    "accounts:passkey-signin": "a way in",
    "accounts:password-choose": "to who has the address that was mailed",
    "accounts:password-forgotten": "the same for everybody",
    "accounts:signin": "a way in",
    "accounts:signout": "ends one's own session",
    "admin:login": "leads to signing in",
    "calendar:feed-file": "to who has the secret address",
    "home": "leads to where one's work is",
    "live:ticket": "to whose browser has a session: it opens nothing that the session does not",
    "online:choose": "where the clinic lets patients book for themselves",
    "online:code": "to the browser whose booking it is",
    "online:now": "where the clinic lets patients book for themselves",
    "online:person": "to the browser whose booking it is",
    "reminders:answer": "to who has the signed address of a message",
    "reminders:sms": "to who shows the provider's signature",
    "reminders:sms-status": "to who shows the provider's signature",
    "reminders:stop": "to who has the signed address of a message",
    "room:left": "the end of a visit: names nobody, and the clinic only to who had a link",
    "set_language": "a cookie of one's own",
    "summary:renew": "to who has an expired link: sends a new one to the address on file",
    "waitlist:offer": "to who has the signed address",
}

# The admin's pages besides those of models.
ADMIN = {
    "/admin/{url}": look(),  # is nowhere
    "admin:accounts_auditevent_export": page(TRAIL),
    **{
        f"admin:accounts_{table}_{page_name}": expected
        for table in ("membership", "patient")
        for page_name, expected in (
            ("export", page(("clinic_admin",))),
            ("import", page(("clinic_admin",))),
            ("template", look(("clinic_admin",))),
        )
    },
    "admin:app_list": look(TRAIL),
    "admin:autocomplete": look(),  # nobody has a field that asks
    "admin:index": look(TRAIL),
    "admin:jsi18n": look(TRAIL),
    "admin:logout": post(TRAIL),
    "admin:password_change": look(TRAIL),
    "admin:password_change_done": look(TRAIL),
    "admin:reminders_communication_preview": look(ADMINS),
    "admin:reminders_communication_preview_mail": look(ADMINS),
    "admin:reminders_messagetemplate_preview": ask(ADMINS),
    "admin:schedule_scheduleexception_copy": page(("clinic_admin",)),
    "admin:view_on_site": look(),  # no model has an address of its own
}


class Rows(NamedTuple):
    """Who sees the rows of a model in the admin, and may add, change, delete them; of the own clinic alone."""

    who: tuple[str, ...]
    add: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


MODELS = {
    "accounts.accesslink": Rows(ADMINS),
    "accounts.auditevent": Rows(TRAIL),
    "accounts.clinic": Rows(ADMINS, add=ROOT, change=ADMINS),
    "accounts.emergencyaccess": Rows(ADMINS, change=("clinic_admin",)),
    "accounts.invitation": Rows(ADMINS, add=("clinic_admin", "superuser")),
    "accounts.membership": Rows(ADMINS, change=ADMINS),
    "accounts.patient": Rows(ADMINS, add=ADMINS, change=ADMINS),
    "accounts.practitioner": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "accounts.relatedperson": Rows(ADMINS, change=("clinic_admin",)),
    "accounts.session": Rows(ADMINS),
    "accounts.user": Rows(ADMINS, change=ADMINS),
    "booking.appointment": Rows(ADMINS),
    "calendar.calendarfeed": Rows(ADMINS),
    "checkin.checkin": Rows(ADMINS),
    "checkin.consent": Rows(ADMINS),
    "checkin.consenttext": Rows(ADMINS, add=ADMINS),
    "records.legalhold": Rows(ADMINS),
    "records.recordcopy": Rows(ADMINS),
    "records.retentionrule": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "intake.intake": Rows(ADMINS),
    # One that was answered stays: others are made of it.
    "intake.questionnaire": Rows(ADMINS, add=ADMINS, change=ADMINS),
    "intake.questionnaireitem": Rows(ADMINS),
    "intake.questionnaireresponse": Rows(ADMINS),
    "reminders.communication": Rows(ADMINS),
    "reminders.confirmation": Rows(ADMINS),
    "reminders.contactpreference": Rows(ADMINS, delete=ADMINS),
    "reminders.leadtime": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "reminders.messagetemplate": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    # A clinic has its rules once, and ours has them.
    "reminders.reminderpolicy": Rows(ADMINS, add=ROOT, change=ADMINS, delete=ADMINS),
    "room.encounter": Rows(ADMINS),
    "room.relaynode": Rows(ROOT),
    "schedule.availability": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "schedule.openinghours": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "schedule.scheduleexception": Rows(ADMINS, add=ADMINS, change=ADMINS, delete=ADMINS),
    "schedule.schedulepolicy": Rows(ADMINS, add=ROOT, change=ADMINS),
    "schedule.visittype": Rows(ADMINS, add=ADMINS, change=ADMINS),
    "summary.composition": Rows(ADMINS),
    "waiting.delay": Rows(ADMINS),
    "waiting.ticket": Rows(ADMINS),
    "waitlist.offer": Rows(ADMINS),
    "waitlist.waitlistentry": Rows(ADMINS),
}


class Talk(NamedTuple):
    """A message as it should be, and what one hears who has not joined a call; ``but`` says what others hear."""

    fields: dict[str, Any]
    heard: str
    but: dict[str, str] = {}


# By path; {visit} is one that was admitted to the call.
SOCKETS = {
    "ws/board/": LOOKS,
    "ws/session/": (*MEMBERS, *ACCOUNT),
    "ws/my/{visit}/waiting/": PARTY,
    "ws/my/{visit}/room/": PARTY,
    "ws/visits/{visit}/room/": TREATS,
}
NOT_JOINED = "not-joined"
# The last three change what is there, said by whom they are for.
MESSAGES = {
    "ping": Talk({}, "pong"),
    "resync": Talk({}, "state"),
    "resume": Talk({"epoch": 1}, NOT_JOINED),
    "media": Talk({"audio": True, "video": True}, NOT_JOINED),
    "share": Talk({"on": True}, NOT_JOINED),
    "sizes": Talk({"heights": {"0": 360}}, NOT_JOINED),
    "e2ee": Talk({"to": None, "data": "x"}, NOT_JOINED),
    "stats": Talk(
        {
            "span": 5000, "round_trip": None, "freezes": 0, "frozen": 0, "concealed": 0, "heard": 5000, "decoded": 100,
            "dropped": 0, "width": 640, "height": 360,
        },
        NOT_JOINED,
    ),
    "leave": Talk({}, NOT_JOINED),
    "join": Talk({"sdp": "v=0", "audio": True, "video": True, "e2ee": True}, "relay-unavailable"),
    "encryption": Talk({"on": False}, "not-allowed", {"clinician": "state"}),
    "end": Talk({}, "not-allowed", {"clinician": "state"}),
}  # fmt: skip

# Whose words who may see anywhere: of the person (p and q are patients of our clinic, r is another clinic's).
FILE = {"name", "mail", "guest", "place", "contact", "reason", "note", "proxy", "proxymail", "shown"}
OWN_FILE = FILE - {"note", "proxymail", "shown"}
SEES: dict[str, dict[str, set[str]]] = {
    "clinician": {"p": FILE | {"answer", "summary"}, "q": FILE},
    "front_desk": {"p": FILE, "q": FILE},
    "clinic_admin": {"p": FILE, "q": FILE},
    "strange clinician": {"r": FILE | {"answer", "summary"}},
    "strange admin": {"r": FILE},
    "superuser": {"p": FILE, "q": FILE, "r": FILE},
    "account": {"p": OWN_FILE | {"answer", "summary"}},
    "strange account": {"r": OWN_FILE | {"answer", "summary"}},
    "proxy account": {"p": OWN_FILE | {"answer", "summary", "proxymail"}},  # their own address
    "patient": {"p": OWN_FILE | {"answer", "summary"}},
    # What they wrote themselves it does not show, and of who acts for them the name while in the call.
    "patient by hand": {"p": {"name", "guest", "proxy"}},
    "proxy": {"p": OWN_FILE | {"answer", "summary"}},  # to whom reading is granted, too
    "guest": {"p": {"name", "guest", "proxy"}},  # of who is in the call with them
    "other patient": {"q": OWN_FILE},
}
# What an address that is a secret shows to whoever has it.
SHOWS: dict[str, set[str]] = {}

# What reading a page may write besides the trail and sessions, and why.
READING_WRITES = {
    "admin:room_relaynode_changelist": {"room_relaynode"},  # looks after them, to show how they are now
    "waiting:room": {"waiting_ticket", "booking_appointment"},  # opening the waiting room is the arrival
}
# Parts of a page whose opening is on the trail, which the page itself asks for again and again to stay true.
SAME_LOOK = {"booking:move_slots", "waiting:board"}
# Events of nobody, that follow from one which says who.
FOLLOWS = {"session.end-all"}
# What is written without a row on the trail, and why.
UNTOLD = {
    "admin:room_relaynode_changelist": {"room_relaynode"},  # how a relay is, which nobody did
    "accounts:claim": {"accounts_patientcode"},  # asked for: that it is sent is on it
    "accounts:passkey-enrol-options": {"django_otp_webauthn_webauthnuserhandle"},  # enrolling is on it
    "reminders:arrived": {"reminders_communication"},  # an update that meets no row: of what is unknown alone
    "reminders:own-ways": {"reminders_contactpreference"},  # a row that says nothing yet
    "reminders:ways": {"reminders_contactpreference"},
    "summary:renew": {"reminders_communication"},  # planned: that it is sent is on it
    "summary:send-link": {"reminders_communication"},
    "online:send-link": {"reminders_communication"},
    # An update that meets no row: of who stands in line, or was called, alone.
    "waiting:left": {"waiting_ticket"},
    "waiting:moment": {"waiting_ticket"},
}
# What a POST changes that this crawl cannot see, and why.
UNSEEN = {
    "accounts:claim-code": "takes the code that was mailed",
    "accounts:clinic": "writes the session alone",
    "accounts:factor-passkey": "ends what a request before it began",
    "accounts:factor-phone": "ends what a request before it began",
    "admin:accounts_auditevent_export": "writes the trail alone",
    "admin:accounts_membership_export": "writes the trail alone",
    "admin:accounts_membership_import": "does nothing without a file",
    "admin:accounts_patient_export": "writes the trail alone",
    "admin:accounts_patient_import": "does nothing without a file",
    "admin:accounts_practitioner_delete": "one who has had visits stays",
    "accounts:session-end": "ends the session alone",
    "accounts:session-extend": "writes the session alone",
    "accounts:sessions-end-others": "there are no others",
    "admin:logout": "ends the session alone",
    "admin:reminders_reminderpolicy_add": "a clinic has one, and ours has it already",
    "admin:schedule_schedulepolicy_add": "a clinic has one, and ours has it already",
    "records:index": "finds somebody, and writes the trail alone",
}
# Answers that may be kept, and by whom.
KEPT = {"calendar:feed-file": "a calendar program, which asks whether it changed"}
