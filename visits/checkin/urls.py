from django.urls import path

from visits.checkin import views

app_name = "checkin"
urlpatterns = [
    path("my/<uuid:pk>/", views.start, name="start"),
    path("my/<uuid:pk>/details/", views.details, name="details"),
    path("my/<uuid:pk>/devices/", views.devices, name="devices"),
]
