"""The people of the demo, all of them invented."""

from dataclasses import dataclass
from datetime import date

from accounts.policy import Role

# One for all of them: it opens nothing but invented people.
PASSWORD = "heron-lantern-teacup"  # noqa: S105


@dataclass(frozen=True)
class Staff:
    email: str
    name: str
    role: Role
    practitioner: str = ""  # the name shown to patients, for clinicians
    specialty: str = ""
    enrolled: bool = True  # has a second factor; else is made to enrol one at the first sign-in


@dataclass(frozen=True)
class Person:
    given_name: str
    family_name: str
    birth_date: date
    language: str = "en"
    time_zone: str = ""
    has_email: bool = True


RIVERSIDE = {
    "name": "Riverside Family Clinic",
    "time_zone": "America/Chicago",
    "phone": "(555) 010-0142",
    "phone_hours": "8 am – 5 pm",
}
HILLTOP = {"name": "Hilltop Practice", "time_zone": "America/New_York", "phone": "(555) 010-0190"}

CLINICIAN = "amara.okafor@riverside.example"  # the one to try the demo with
FRONT_DESK = "front.desk@riverside.example"

RIVERSIDE_STAFF = [
    Staff(CLINICIAN, "Amara Okafor", Role.CLINICIAN, "Dr. Amara Okafor", "Family medicine"),
    Staff("noor.haddad@riverside.example", "Noor Haddad", Role.CLINICIAN, "Dr. Noor Haddad", "Internal medicine"),
    Staff("mei.lindqvist@riverside.example", "Mei Lindqvist", Role.CLINICIAN, "Mei Lindqvist, NP", "Family medicine"),
    Staff(
        "new.clinician@riverside.example",
        "Tomás Adeyemi",
        Role.CLINICIAN,
        "Dr. Tomás Adeyemi",
        "Pediatrics",
        enrolled=False,
    ),
    Staff(FRONT_DESK, "Lee Park", Role.FRONT_DESK),
    Staff("admin@riverside.example", "Ada Brandt", Role.CLINIC_ADMIN),
    Staff("auditor@riverside.example", "Otto Silva", Role.AUDITOR),
]
HILLTOP_STAFF = [
    Staff("sam.rivers@hilltop.example", "Sam Rivers", Role.CLINICIAN, "Dr. Sam Rivers", "Family medicine"),
]

PATIENTS = [
    Person("Rosa", "Marín", date(1979, 3, 14), "es", "America/New_York"),
    Person("Walter", "Brandvold", date(1948, 11, 2)),
    Person("Halima", "Yusuf", date(1991, 6, 21)),
    Person("Jin", "Takahara", date(1986, 1, 30), time_zone="America/Los_Angeles"),
    Person("Priya", "Raghunathan", date(1995, 9, 8)),
    Person("Mateo", "Quispe", date(2001, 4, 17), "es"),
    Person("Ingrid", "Solheim", date(1962, 12, 5)),
    Person("Kwame", "Boateng", date(1973, 7, 19)),
    Person("Lucía", "Fernández", date(1988, 2, 28), "es", "America/Denver"),
    Person("Dmitri", "Volkov", date(1957, 10, 11)),
    Person("Aiyana", "Redcloud", date(1999, 5, 3), time_zone="America/Phoenix"),
    Person("Thu", "Nguyễn", date(1969, 8, 24)),
    Person("Samuel", "Okonkwo", date(1983, 3, 9)),
    Person("Elif", "Demir", date(1992, 12, 31)),
    Person("Grace", "O’Halloran", date(1951, 1, 1), has_email=False),
    Person("Omar", "El-Sayed", date(1978, 6, 6)),
    Person("Valentina", "Rojas", date(2004, 7, 15), "es"),
    Person("Piotr", "Zieliński", date(1966, 4, 22)),
    Person("Mei", "Cheng", date(1997, 11, 13)),
    Person("Tevita", "Fonoti", date(1989, 9, 27), time_zone="Pacific/Honolulu"),
    Person("Miriam", "Goldfarb", date(1944, 2, 18)),
    Person("Andrés", "Castillo", date(1976, 10, 30), "es"),
    Person("Zainab", "Malik", date(2000, 3, 23)),
    Person("Björn", "Eklund", date(1981, 8, 12)),
    Person("Chidi", "Nwosu", date(1994, 5, 29)),
    Person("Hannah", "Whitefeather", date(1959, 12, 19)),
]

# Who of them has an account.
WITH_ACCOUNT = ("Halima", "Yusuf")

# Name, minutes, colour in the calendar.
VISIT_TYPES = [("Short check-in", 10, "amber"), ("Follow-up", 20, "teal"), ("New patient", 40, "violet")]

# Whose, what, days from today, hours, note. None of it lies where the demo's week has visits.
EXCEPTIONS = [
    ("noor.haddad@riverside.example", "off", 1, 1, "17:00", "20:00", "Teaching"),
    ("mei.lindqvist@riverside.example", "off", 6, 9, "", "", "Vacation"),
    ("mei.lindqvist@riverside.example", "extra", 5, 5, "17:00", "19:00", "Late hours"),
    ("new.clinician@riverside.example", "off", 0, 4, "", "", "Getting started"),
]

# What the clinic says in its reminders besides what each of them says.
OWN_WORDS = {
    "en": "Please have your medicines at hand, and a list of what you would like to ask.",
    "es": "Tenga a mano sus medicinas y una lista de lo que quiera preguntar.",
}

CONSENT_TEXTS = {
    "en": """You are about to see your clinician by video instead of in a room at the clinic.

What a video visit can do: you can talk, see each other and show things to the camera. What it cannot do: nobody can \
touch or examine you. If your clinician finds that this is not enough, they will ask you to come in.

Privacy: sound and picture travel encrypted. We do not record the visit. Choose a place where nobody overhears you; \
your clinician does the same. Tell us if somebody is with you.

Safety: before the visit we ask where you are and whom we may call, so that we can send help if something happens to \
you. A video visit is not for emergencies: call 911.

If the connection fails, we call you at the number you gave us.

It is your choice. You can say no, or stop at any time, and still get care from us in another way.""",
    "es": """Usted va a ver a su profesional de la salud por video y no en un consultorio de la clínica.

Lo que permite una visita por video: hablar, verse y mostrar cosas a la cámara. Lo que no permite: nadie puede tocarle \
ni examinarle. Si su profesional ve que esto no basta, le pedirá que venga.

Privacidad: el sonido y la imagen viajan cifrados. No grabamos la visita. Elija un lugar donde nadie le oiga; su \
profesional hace lo mismo. Díganos si alguien está con usted.

Seguridad: antes de la visita preguntamos dónde está y a quién podemos llamar, para enviarle ayuda si le pasa algo. \
Una visita por video no es para emergencias: llame al 911.

Si falla la conexión, le llamamos al número que nos dio.

Usted decide. Puede decir que no, o detener la visita en cualquier momento, y le atenderemos de otra manera.""",
}
