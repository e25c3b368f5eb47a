from django.urls import path

from visits.waitlist import views

app_name = "waitlist"
urlpatterns = [
    path("my/<uuid:pk>/earlier/", views.mine, name="mine"),
    path("visits/<uuid:pk>/earlier/", views.of_visit, name="visit"),
    path("offers/<str:token>/", views.offer, name="offer"),
]
