"""Which role may do what. One table, deny by default; every door asks ``allows``."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Role(StrEnum):
    PATIENT = "patient"
    PROXY = "proxy"  # acts for a patient: FHIR RelatedPerson
    GUEST = "guest"
    CLINICIAN = "clinician"
    FRONT_DESK = "front_desk"
    CLINIC_ADMIN = "clinic_admin"
    AUDITOR = "auditor"

    @property
    def label(self) -> str:
        return str(ROLE_LABELS[self])


ROLE_LABELS = {
    Role.PATIENT: _("Patient"),
    Role.PROXY: _("Acts for a patient"),
    Role.GUEST: _("Guest"),
    Role.CLINICIAN: _("Clinician"),
    Role.FRONT_DESK: _("Front desk"),
    Role.CLINIC_ADMIN: _("Clinic admin"),
    Role.AUDITOR: _("Auditor"),
}

STAFF_ROLES = [Role.CLINICIAN, Role.FRONT_DESK, Role.CLINIC_ADMIN, Role.AUDITOR]


class Action(StrEnum):
    """What can be asked of a door, as noun.verb."""

    BOARD_SEE = "board.see"
    PATIENT_SEARCH = "patient.search"
    VISIT_BOOK = "visit.book"
    VISIT_SEE = "visit.see"
    VISIT_CHANGE = "visit.change"
    VISIT_CHANGE_OWN = "visit.change-own"
    VISIT_INVITE = "visit.invite"
    PROXY_SEE = "proxy.see"  # who acts for patients
    PROXY_CHANGE = "proxy.change"
    ACCOUNT_CHANGE = "account.change"  # of patients
    VISIT_CHECK_IN = "visit.check-in"
    VISIT_WAIT = "visit.wait"
    VISIT_ADMIT = "visit.admit"
    VISIT_JOIN = "visit.join"
    VISIT_END = "visit.end"
    VISIT_UNENCRYPT = "visit.unencrypt"
    INTAKE_READ = "intake.read"
    SUMMARY_WRITE = "summary.write"  # of visits that one was in
    SUMMARY_READ = "summary.read"
    SCHEDULE_CHANGE = "schedule.change"  # one's own time off and extra hours
    SCHEDULE_CHANGE_ALL = "schedule.change-all"
    DELAY_SET = "delay.set"  # that oneself is late
    DELAY_SET_ALL = "delay.set-all"
    RECORD_EMERGENCY = "record.emergency"  # of patients whom one does not treat
    RECORD_ASK = "record.ask"  # for a copy of one's own whole record
    RECORD_EXPORT = "record.export"  # a copy of a patient's whole record
    RECORD_ERASE = "record.erase"  # how long records are kept, and their end
    TRAIL_READ_OWN = "trail.read-own"  # who of the staff opened one's record
    PAST_SEE = "past.see"  # what one wrote before, and what is of more than this one visit
    AUDIT_READ = "audit.read"
    CLINIC_RUN = "clinic.run"


class ProxyScope(StrEnum):
    """What may be granted to who acts for a patient. Scopes share no action."""

    MANAGE = "manage"
    JOIN = "join"
    READ = "read"


PROXY_ACTIONS: dict[ProxyScope, frozenset[Action]] = {
    ProxyScope.MANAGE: frozenset({Action.VISIT_SEE, Action.VISIT_CHANGE_OWN, Action.VISIT_CHECK_IN, Action.PAST_SEE}),
    ProxyScope.JOIN: frozenset({Action.VISIT_WAIT, Action.VISIT_JOIN}),
    ProxyScope.READ: frozenset({Action.INTAKE_READ, Action.SUMMARY_READ, Action.RECORD_ASK, Action.TRAIL_READ_OWN}),
}

PERMISSIONS: dict[Role, frozenset[Action]] = {
    Role.PATIENT: frozenset(
        {
            Action.VISIT_SEE,
            Action.VISIT_CHANGE_OWN,
            Action.VISIT_CHECK_IN,
            Action.VISIT_WAIT,
            Action.VISIT_JOIN,
            Action.INTAKE_READ,
            Action.SUMMARY_READ,
            Action.RECORD_ASK,
            Action.TRAIL_READ_OWN,
            Action.PAST_SEE,
        }
    ),
    # At most: each grant says which of the scopes (see Principal.may).
    Role.PROXY: frozenset().union(*PROXY_ACTIONS.values()),
    Role.GUEST: frozenset({Action.VISIT_WAIT, Action.VISIT_JOIN}),
    Role.CLINICIAN: frozenset(
        {
            Action.BOARD_SEE,
            Action.PATIENT_SEARCH,
            Action.VISIT_BOOK,
            Action.VISIT_SEE,
            Action.VISIT_CHANGE,
            Action.VISIT_INVITE,
            Action.PROXY_SEE,
            Action.VISIT_ADMIT,
            Action.VISIT_JOIN,
            Action.VISIT_END,
            Action.VISIT_UNENCRYPT,
            Action.INTAKE_READ,
            Action.SUMMARY_WRITE,
            Action.SUMMARY_READ,
            Action.RECORD_EMERGENCY,
            Action.SCHEDULE_CHANGE,
            Action.DELAY_SET,
        }
    ),
    Role.FRONT_DESK: frozenset(
        {
            Action.BOARD_SEE,
            Action.PATIENT_SEARCH,
            Action.VISIT_BOOK,
            Action.VISIT_SEE,
            Action.VISIT_CHANGE,
            Action.VISIT_INVITE,
            Action.PROXY_SEE,
            Action.PROXY_CHANGE,
            Action.ACCOUNT_CHANGE,
            Action.VISIT_ADMIT,
            Action.SCHEDULE_CHANGE,
            Action.SCHEDULE_CHANGE_ALL,
            Action.DELAY_SET,
            Action.DELAY_SET_ALL,
        }
    ),
    Role.CLINIC_ADMIN: frozenset(
        {
            Action.BOARD_SEE,
            Action.VISIT_SEE,
            Action.PROXY_SEE,
            Action.PROXY_CHANGE,
            Action.ACCOUNT_CHANGE,
            Action.SCHEDULE_CHANGE,
            Action.SCHEDULE_CHANGE_ALL,
            Action.RECORD_EXPORT,
            Action.RECORD_ERASE,
            Action.AUDIT_READ,
            Action.CLINIC_RUN,
        }
    ),
    Role.AUDITOR: frozenset({Action.AUDIT_READ}),
}

# What a link opens that staff have seen: the visit that is to come, and nothing that was written before.
HANDED_OUT = frozenset(
    {Action.VISIT_SEE, Action.VISIT_CHANGE_OWN, Action.VISIT_CHECK_IN, Action.VISIT_WAIT, Action.VISIT_JOIN}
)


def allows(role: Role, action: Action) -> bool:
    """Whether ``role`` may do ``action`` at all; which objects is the door's own question."""
    return action in PERMISSIONS[role]
