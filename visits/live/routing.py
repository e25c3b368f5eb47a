"""Sockets of every page of who is signed in."""

from django.urls import path

from visits.live.session import SessionConsumer

websocket_urlpatterns = [
    path("ws/session/", SessionConsumer.as_asgi()),
]
