from django.urls import path

from visits.demo import views

app_name = "demo"
urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/codes/", views.codes, name="codes"),
    path("people/visit/", views.new_visit, name="new-visit"),
    path("mail/", views.mail, name="mail"),
    path("mail/list/", views.mail_list, name="mail-list"),
    path("mail/<slug:pk>/", views.message, name="message"),
    path("mail/<slug:pk>/html/", views.message_html, name="message-html"),
    path("mail/<slug:pk>/attachments/<int:number>/", views.attachment, name="attachment"),
]
