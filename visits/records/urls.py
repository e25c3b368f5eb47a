from django.urls import path

from visits.records import own, views

app_name = "records"
urlpatterns = [
    path("records/", views.index, name="index"),
    path("records/<uuid:pk>/", views.page, name="page"),
    path("records/<uuid:pk>/change/", views.change, name="change"),
    path("records/<uuid:pk>/copies/", views.copies_part, name="copies"),
    path("records/<uuid:pk>/erase/", views.erase, name="erase"),
    path("records/copies/<uuid:pk>/file/", views.download, name="download"),
    path("records/copies/<uuid:pk>/decline/", views.decline, name="decline"),
    path("records/holds/<uuid:pk>/end/", views.end_hold, name="end-hold"),
    path("my/<uuid:pk>/record/", own.ask, name="ask"),
]
