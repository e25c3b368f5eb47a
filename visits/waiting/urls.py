from django.urls import path

from visits.waiting import views

app_name = "waiting"
urlpatterns = [
    path("my/<uuid:pk>/waiting/", views.room, name="room"),
    path("my/<uuid:pk>/waiting/moment/", views.moment, name="moment"),
    path("my/<uuid:pk>/waiting/left/", views.left, name="left"),
    path("today/", views.today, name="today"),
    path("today/board/", views.board_fragment, name="board"),
    path("today/walk-in/", views.walk_in, name="walk-in"),
    path("today/walk-in/check/", views.walk_in_check, name="walk-in-check"),
    path("today/late/", views.running_late, name="late"),
    path("today/late/<uuid:pk>/move/", views.move_later, name="late-move"),
    path("visits/<uuid:pk>/link/", views.link, name="link"),
    path("visits/<uuid:pk>/admit/", views.admit, name="admit"),
    path("visits/<uuid:pk>/noshow/", views.noshow, name="noshow"),
    path("visits/<uuid:pk>/called/", views.called, name="called"),
]
