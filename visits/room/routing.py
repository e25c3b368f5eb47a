from django.urls import URLPattern, path

from visits.room.consumers import PartyRoomConsumer, StaffRoomConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/visits/<uuid:visit>/room/", StaffRoomConsumer.as_asgi()),
    path("ws/my/<uuid:visit>/room/", PartyRoomConsumer.as_asgi()),
]
