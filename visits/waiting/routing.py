from django.urls import path

from visits.waiting import consumers

websocket_urlpatterns = [
    path("ws/board/", consumers.BoardConsumer.as_asgi()),
    path("ws/my/<uuid:visit>/waiting/", consumers.WaitingConsumer.as_asgi()),
]
