"""Where each app's pages live."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from accounts.views import home, set_language
from telehealth.health import audit, health, jobs, messages
from telehealth.metrics import metrics

urlpatterns = [
    path("", home, name="home"),
    path("", include("accounts.urls")),
    path("", include("visits.booking.urls")),
    path("", include("visits.calendar.urls")),
    path("", include("visits.online.urls")),
    path("", include("visits.waitlist.urls")),
    path("", include("visits.intake.urls")),
    path("", include("visits.checkin.urls")),
    path("", include("visits.waiting.urls")),
    path("", include("visits.live.urls")),
    path("", include("visits.room.urls")),
    path("", include("visits.summary.urls")),
    path("", include("visits.reminders.urls")),
    path("", include("visits.records.urls")),
    path("", include("visits.dashboard.urls")),
    path("language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("healthz/", health),
    path("healthz/messages/", messages),
    path("healthz/audit/", audit),
    path("healthz/jobs/", jobs),
    path("metrics/", metrics),
]
if settings.DEMO:
    urlpatterns.append(path("dev/", include("visits.demo.urls")))
