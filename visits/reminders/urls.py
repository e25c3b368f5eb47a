from django.conf import settings
from django.urls import path

from visits.reminders import answers, contact, views, webhooks

app_name = "reminders"
urlpatterns = [
    path("messages/<uuid:pk>/again/", views.again, name="send-again"),
    path("messages/<uuid:pk>/arrived/", views.arrived, name="arrived"),
    path("my/<uuid:pk>/messages/", contact.own, name="own-ways"),
    path("patients/<uuid:pk>/messages/", contact.of_patient, name="ways"),
    path("m/<str:token>/", answers.answer, name="answer"),
    path("m/stop/<str:token>/", answers.stop, name="stop"),
    path("messages/sms/twilio/", webhooks.sms, name="sms"),
    path("messages/sms/<uuid:pk>/status/", webhooks.sms_status, name="sms-status"),
]
if settings.MAIL_WEBHOOKS:
    urlpatterns.append(
        path("messages/mail/events/", webhooks.mail_events(settings.MAIL_PROVIDER), name="mail-events"),
    )
