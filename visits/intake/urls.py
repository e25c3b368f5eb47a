from django.urls import path

from visits.intake import views

app_name = "intake"
urlpatterns = [
    path("my/<uuid:pk>/questions/", views.questions, name="questions"),
    path("visits/<uuid:pk>/answers/", views.answers, name="answers"),
]
