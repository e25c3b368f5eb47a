from django.urls import path

from visits.booking import views

app_name = "booking"
urlpatterns = [
    path("book/", views.book, name="book"),
    path("visits/book/slots/", views.slots, name="slots"),
    path("visits/book/patients/", views.patients, name="patients"),
    path("visits/<uuid:pk>/move/", views.move, name="move"),
    path("visits/<uuid:pk>/move/slots/", views.move_slots, name="move_slots"),
    path("visits/<uuid:pk>/cancel/", views.cancel, name="cancel"),
]
