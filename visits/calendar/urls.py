from django.urls import path

from visits.calendar import views

app_name = "calendar"
urlpatterns = [
    path("calendar/", views.index, name="index"),
    path("calendar/day/", views.calendar, {"view": "day"}, name="day"),
    path("calendar/week/", views.calendar, {"view": "week"}, name="week"),
    path("calendar/month/", views.calendar, {"view": "month"}, name="month"),
    path("calendar/print/", views.print_day, name="print"),
    path("calendar/move/<uuid:pk>/", views.move, name="move"),
    path("calendar/move/<uuid:pk>/undo/", views.undo, name="undo"),
    path("calendar/move/<uuid:pk>/places/", views.places, name="places"),
    path("calendar/time-off/", views.time_off, name="time-off"),
    path("calendar/time-off/<uuid:pk>/", views.change_time_off, name="change-time-off"),
    path("calendar/feed/", views.feed, name="feed"),
    path("my/<uuid:pk>/visits/feed/", views.own_feed, name="own-feed"),
    path("calendar/feed/<str:token>.ics", views.feed_file, name="feed-file"),
]
