from django.urls import path

from visits.online import looks, own, views

app_name = "online"
urlpatterns = [
    path("me/", own.me, name="me"),
    path("book/<slug:slug>/", views.choose, name="choose"),
    path("book/<slug:slug>/now/", views.now, name="now"),
    path("book/<slug:slug>/<uuid:pk>/", views.person, name="person"),
    path("book/<slug:slug>/<uuid:pk>/code/", views.code, name="code"),
    path("my/<uuid:pk>/booked/", own.booked, name="booked"),
    path("my/<uuid:pk>/visit/", own.visit, name="visit"),
    path("my/<uuid:pk>/visit/calendar/", own.calendar, name="calendar"),
    path("my/<uuid:pk>/move/", own.move, name="move"),
    path("my/<uuid:pk>/cancel/", own.cancel, name="cancel"),
    path("my/<uuid:pk>/visits/", own.visits, name="visits"),
    path("my/<uuid:pk>/looks/", looks.looks, name="looks"),
    path("my/<uuid:pk>/visits/<uuid:other>/link/", own.send_link, name="send-link"),
]
