"""Sockets of every page of staff."""

from django.urls import path

from visits.live.session import SessionConsumer

websocket_urlpatterns = [
    path("ws/session/", SessionConsumer.as_asgi()),
]
