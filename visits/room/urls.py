from django.urls import URLPattern, path

from visits.room import views

app_name = "room"
urlpatterns: list[URLPattern] = [
    path("my/<uuid:pk>/room/", views.party, name="party"),
    path("my/<uuid:pk>/left/", views.left, name="left"),
    path("visits/<uuid:pk>/", views.visit, name="visit"),
    path("visits/<uuid:pk>/room/", views.staff, name="staff"),
    path("visits/<uuid:pk>/end/", views.end, name="end"),
    path("visits/<uuid:pk>/guests/", views.invite, name="invite"),
    path("visits/<uuid:pk>/guests/<uuid:link>/revoke/", views.revoke, name="revoke"),
]
