from django.urls import path

from visits.summary import own, views

app_name = "summary"
urlpatterns = [
    path("visits/<uuid:pk>/summary/", views.visit, name="visit"),
    path("visits/<uuid:pk>/summary/write/", views.write, name="write"),
    path("visits/<uuid:pk>/summary/links/end/", views.end_links, name="end-links"),
    path("my/<uuid:pk>/summary/", own.read, name="read"),
    path("my/<uuid:pk>/visits/<uuid:other>/summary/", own.send_link, name="send-link"),
    path("v/<str:token>/new/", own.renew, name="renew"),
]
