from django.urls import path

from visits.live import views

app_name = "live"
urlpatterns = [
    path("socket-ticket/", views.ticket, name="ticket"),
]
