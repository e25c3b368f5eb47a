from django.urls import path

from visits.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("dashboard/", views.index, name="index"),
    path("dashboard/<slug:name>.csv", views.numbers, name="numbers"),
]
