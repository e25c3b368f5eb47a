from django.urls import path

from visits.reminders import views

app_name = "reminders"
urlpatterns = [
    path("messages/<uuid:pk>/again/", views.again, name="send-again"),
]
