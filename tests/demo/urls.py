"""The project's URLs with those of the demo."""

from django.urls import include, path

from telehealth.urls import urlpatterns as ordinary

urlpatterns = [*ordinary, path("dev/", include("visits.demo.urls"))]
