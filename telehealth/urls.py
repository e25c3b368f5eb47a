"""Where each app's pages live."""

from django.contrib import admin
from django.urls import include, path

from accounts.views import home

urlpatterns = [
    path("", home, name="home"),
    path("", include("accounts.urls")),
    path("", include("visits.booking.urls")),
    path("", include("visits.checkin.urls")),
    path("", include("visits.waiting.urls")),
    path("", include("visits.room.urls")),
    path("admin/", admin.site.urls),
]
